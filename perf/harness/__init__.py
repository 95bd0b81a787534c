"""What perf/run, perf/compare, perf/instructions and perf/report share."""
