"""The pure engine: arithmetic on pictures and features, with no SQL, HTTP, Celery, settings or log."""
