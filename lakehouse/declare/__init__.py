"""What is declared: tables and steps, the rules of a row, and helpers of builds."""
