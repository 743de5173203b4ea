"""What space-cluster's exit codes mean; its manual lists them."""

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NO_CLUSTER, EXIT_DEGRADED = 0, 1, 2, 3, 4
