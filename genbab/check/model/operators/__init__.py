"""What every operator of ONNX means in steps of a program: tables of small functions, by kind."""
