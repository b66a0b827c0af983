"""Parts of benchmarks that have no command of their own."""
