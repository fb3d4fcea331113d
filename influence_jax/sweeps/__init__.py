"""Many settings: what to try, in how few programs, and what came out."""
