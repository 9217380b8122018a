"""What spark-submit, schedulers and `shoplake` start."""
