"""HTTP as the API and the worker serve it: uvicorn in our bounds, the shell around each answer, JSON, errors."""
