"""The model of BOHB: kernel density estimates of good and of other results, for each budget."""
