"""Fits what finds the tools: the map in router/embed/use_questions.npz and the weights in router/fuse.py.

    python -m bench.fit --data FOLDER [--onnx FOLDER] [--out FOLDER] [--write]

`sets` reads data sets into what the product's own code makes of them, `learn` fits, `folds` fits with one family of
sets left out, `figures` counts what a ranking finds, `tried` and `examples` measure what else could be done, `page`
writes docs/benchmarks/retrieval-fit.md.
"""
