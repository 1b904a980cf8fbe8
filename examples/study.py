"""How robust is the shipped digits network? Certified accuracy as a table and as an HTML report."""

from pathlib import Path

from sklearn.datasets import load_digits

import genbab

images, labels = load_digits(return_X_y=True)
x, y = images[1400:1450] / 16, labels[1400:1450]  # of the half that the network was not trained on
model = Path(__file__).parent / "onnx" / "digits_tanh.onnx"
result = genbab.certified_accuracy(model, x, y, eps="12/255", timeout=5, study="digits.study.db")
print(result)
print("open in a browser:", genbab.report("digits.study.db", "digits.html"))
