"""Networks computed: at points, in float32 by trial, with products in a coarser dtype."""
