"""Two versions of one thing beside each other in time: where they come from, how often they are asked, what is said."""
