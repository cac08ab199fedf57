"""The life of a job: Celery, stages, recovery."""
