"""A network, a data set, a penalty and a measure of one's own."""
