"""Self-distillation: a student's logits follow the probabilities of a teacher who saw other views."""

from keras import ops


def cross_view_entropy(targets, logits):
    """Cross-entropy of each view's logits with the targets of every other view, mean over such pairs and images.

    As SwAV (arXiv 2006.09882, equation 2 and section 3.3) and DINO (arXiv 2104.14294, equation 3) sum it up.

    Args:
        targets: probabilities (N, T, K) of the first T views.
        logits: (N, V, K) of all views, V >= T, in the same order; a view is never compared with its own target.

    Returns:
        A float32 scalar; log(K) where targets or logits are uniform.
    """
    targets, logits = ops.cast(targets, "float32"), ops.cast(logits, "float32")
    count, views = targets.shape[1], logits.shape[1]
    pairs = -ops.einsum("ntk,nvk->tv", targets, ops.log_softmax(logits)) / ops.cast(ops.shape(logits)[0], "float32")
    others = 1 - ops.eye(count, views, dtype="float32")
    return ops.sum(pairs * others) / (count * (views - 1))


def dino(student_logits, teacher_logits, centre, student_temperature: float = 0.1, teacher_temperature: float = 0.04):
    """DINO (Caron et al., arXiv 2104.14294, equation 3 and algorithm 1): the student follows the centred teacher.

    Args:
        student_logits: (N, V, K) of all crops, the teacher's first; or (N, K) of one that the teacher does not see.
        teacher_logits: (N, T, K) of the large crops, or (N, K) of one; no gradient reaches them.
        centre: (K,), subtracted from the teacher's logits.
        student_temperature, teacher_temperature: the teacher's is lower, which sharpens its probabilities.

    Returns:
        A float32 scalar, mean over pairs of a teacher's crop and another crop; log(K) where all is uniform.
    """
    teacher = (ops.cast(teacher_logits, "float32") - ops.cast(centre, "float32")) / teacher_temperature
    targets = ops.stop_gradient(ops.softmax(teacher))
    student = ops.cast(student_logits, "float32") / student_temperature
    return soft_cross_entropy(targets, student) if len(student.shape) == 2 else cross_view_entropy(targets, student)


def distillation(student_logits, teacher_logits, temperature: float = 1.0):
    """temperature^2 times the cross-entropy of softened outputs (SimCLR v2, arXiv 2006.10029, equation 2).

    The factor, as in the authors' code, keeps the gradient's size: temperature (p_student - p_teacher) / N.

    Args:
        student_logits, teacher_logits: (N, K), row i of both is image i; no gradient reaches the teacher's.
        temperature: divides the logits of both.

    Returns:
        A float32 scalar; temperature^2 times the teacher's entropy where both are equal, which is the least.
    """
    targets = ops.softmax(ops.stop_gradient(ops.cast(teacher_logits, "float32")) / temperature)
    return temperature**2 * soft_cross_entropy(targets, ops.cast(student_logits, "float32") / temperature)


def soft_cross_entropy(targets, logits):
    """Cross-entropy of softmax(logits) with target probabilities, both (N, K), mean over rows; float32."""
    logs = ops.log_softmax(ops.cast(logits, "float32"))
    return -ops.mean(ops.sum(ops.cast(targets, "float32") * logs, axis=-1))
