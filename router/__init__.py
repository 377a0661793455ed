"""The core of Toolfunnel: which few tools does this conversation need?

Pure and synchronous: it knows no web framework, no configuration, no environment and no database. It takes
tools, a conversation and grants, and gives a `Selection` that can explain itself. `router.pipeline.Router` is
the way in; `router.types` holds the words that everything else speaks.
"""
