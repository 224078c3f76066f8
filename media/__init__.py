"""RTP, G.711, telephone events, prompts and the worker process that moves them."""
