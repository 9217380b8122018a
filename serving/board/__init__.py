"""The board: what a manager asks, answered in the browser from one release. `shoplake board` starts it."""
