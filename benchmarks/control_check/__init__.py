"""What the benchmarks of the control side share: an independent judge, and hostile inputs."""
