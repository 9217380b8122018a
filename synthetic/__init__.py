"""A made-up shop with planted truth and counted dirt: the feeds that Shoplake is shown, graded and benchmarked on."""
