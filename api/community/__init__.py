"""People: who follows whom, and what each may see of the other."""
