"""Measurements that anyone can repeat. No part of the wheel, nothing here is imported by the product."""
