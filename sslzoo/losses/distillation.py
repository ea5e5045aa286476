"""Distillation: the logits of a student predict the probabilities of a teacher."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit


@checked("N V K", "N T K")
def cross_view_entropy(logits, targets):
    """Cross-entropy of the logits of each view with the targets of every other view.

    SwAV (arXiv 2006.09882, equation 2 and section 3.3) and DINO (arXiv 2104.14294, equation 3).

    Args:
        logits: (N, V, K) of all views, V >= T.
        targets: (N, T, K), probabilities of the first T views. A view is not compared with its own target.

    Returns:
        A float32 scalar, the mean over such pairs and examples; log(K) where targets or logits are uniform.
    """
    targets, logits = ops.cast(targets, "float32"), ops.cast(logits, "float32")
    count, views = targets.shape[1], logits.shape[1]
    pairs = -ops.einsum("ntk,nvk->tv", targets, ops.log_softmax(logits)) / ops.cast(ops.shape(logits)[0], "float32")
    others = 1 - ops.eye(count, views, dtype="float32")
    return ops.sum(pairs * others) / (count * (views - 1))


@checked("N ... K", "N ... K", "K")
def dino(student_logits, teacher_logits, centre, *, student_temperature: float = 0.1, teacher_temperature=0.04):
    """DINO's loss: the student predicts the centred teacher (arXiv 2104.14294, equation 3 and algorithm 1).

    Args:
        student_logits: (N, V, K) of all crops, those of the teacher first; or (N, K) of one crop that the teacher does
            not receive.
        teacher_logits: (N, T, K) of the large crops, or (N, K) of one; no gradient passes.
        centre: (K,), subtracted from the teacher's logits.
        student_temperature: float, divides the student's logits.
        teacher_temperature: float or scalar, divides the teacher's; lower, which sharpens its probabilities.

    Returns:
        A float32 scalar, the mean over pairs of a teacher's crop and another crop; log(K) where all is uniform.
    """
    teacher = (ops.cast(teacher_logits, "float32") - ops.cast(centre, "float32")) / teacher_temperature
    targets = ops.stop_gradient(ops.softmax(teacher))
    student = ops.cast(student_logits, "float32") / student_temperature
    return soft_cross_entropy(student, targets) if len(student.shape) == 2 else cross_view_entropy(student, targets)


@checked("N K", "N K")
def distillation(student_logits, teacher_logits, *, temperature: float = 1.0):
    """temperature^2 times the cross-entropy of softened outputs (SimCLR v2, arXiv 2006.10029, equation 2).

    The factor is that of the authors' code. The gradient is temperature (p_student - p_teacher) / N.

    Args:
        student_logits, teacher_logits: (N, K), row i of both is example i; no gradient passes to the teacher's.
        temperature: float, divides the logits of both.

    Returns:
        A float32 scalar; its minimum is temperature^2 times the teacher's entropy, where both are equal.
    """
    targets = ops.softmax(ops.stop_gradient(ops.cast(teacher_logits, "float32")) / temperature)
    return temperature**2 * soft_cross_entropy(ops.cast(student_logits, "float32") / temperature, targets)


@checked("N dim", "N dim", "count dim")
def relational(z, target, anchors, *, temperature: float = 0.1, teacher_temperature: float = 0.04):
    """ReSSL's loss: the similarities of a view to other images predict those of the target (arXiv 2107.09282, eq. 4).

    Args:
        z: (N, dim), embeddings of the student, of any norm.
        target: (N, dim), those of the teacher, of any norm; no gradient passes.
        anchors: (count, dim), embeddings of other images, of any norm.
        temperature: float, divides the student's cosine similarities.
        teacher_temperature: float, divides the teacher's; lower.

    Returns:
        A float32 scalar, the mean over rows; log(count) where all similarities are equal.
    """
    z, target, across = unit(z), ops.stop_gradient(unit(target)), ops.transpose(unit(anchors))
    targets = ops.softmax(ops.matmul(target, across) / teacher_temperature)
    return soft_cross_entropy(ops.matmul(z, across) / temperature, targets)


@checked("N K", "N K")
def soft_cross_entropy(logits, targets):
    """Cross-entropy of softmax(logits) with target probabilities.

    Args:
        logits: (N, K).
        targets: (N, K), rows of sum 1.

    Returns:
        A float32 scalar, the mean over rows.
    """
    logs = ops.log_softmax(ops.cast(logits, "float32"))
    return -ops.mean(ops.sum(ops.cast(targets, "float32") * logs, axis=-1))
