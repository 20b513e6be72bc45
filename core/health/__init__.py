"""Is everything there that this process needs? /health, /health/ready, /metrics."""
