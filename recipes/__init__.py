"""Recipes: pretrainings that run in minutes on two cores."""
