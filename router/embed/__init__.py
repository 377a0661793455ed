"""Texts -> float32[n, d], unit length. One file per way; `embedder` remembers and keeps deadlines."""
