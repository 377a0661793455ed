"""Who may use the gateway: keys that callers hold, what each of them grants, and how often it may be used."""
