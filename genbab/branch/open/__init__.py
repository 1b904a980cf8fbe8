"""Open domains: batches of them, the pool that orders them, how they are packed and kept on disk."""
