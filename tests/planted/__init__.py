"""Faults that people make in hand-written gradients, planted in code in the forms they write."""

from planted import dense, elementwise, gates, losses, norm, objects, sequences, shapes, windows

SUBJECTS = {
    "Affine maps, penalties": dense,
    "Activations, dropout": elementwise,
    "Softmax and losses": losses,
    "Normalisation": norm,
    "Convolution, pooling, upsampling": windows,
    "Gates and paths that meet": gates,
    "Only moving numbers": shapes,
    "Words, time, attention": sequences,
    "Layers as classes": objects,
}
FAULTS = [fault for subject in SUBJECTS.values() for fault in subject.FAULTS]
