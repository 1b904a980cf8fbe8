"""What bounds the functions of a network on boxes: lines, planes, matrix products, curvature."""
