"""What starts runs: sensors that poll and look for due work, schedules, and the pure choices behind them."""
