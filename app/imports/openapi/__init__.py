"""OpenAPI 3.0, 3.1 and Swagger 2 documents -> tools. Reads one document and fetches nothing else."""
