"""Methods side by side on the same trials: cells, their scores with intervals, and the page that shows them."""
