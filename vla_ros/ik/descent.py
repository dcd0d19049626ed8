"""The way downhill from a seed to a pose: damped Gauss-Newton steps within the joints' bounds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.ik.arm_model import ArmModel
from vla_ros.ik.boxed_step import BoxedStep
from vla_ros.ik.settings import PinocchioIkSettings

Array = NDArray[np.float64]

NO_DAMPING = 1e-12  # m^2; keeps the matrix definite, and is far below any step worth making
MOST_DAMPING = 4e-4  # m^2; a goal 3 cm away or more is damped alike
NO_GAIN = 0.01  # of the squared error: a step that promises less is not worth making
SLOW, SLOW_STEPS = 0.97, 3  # so many steps that leave more than this of the squared error: the end
# Of the gain that the linear model promised, what a step has to keep to be called good or fair.
GOOD, FAIR = 0.75, 0.25
LESS, SOMEWHAT_LESS, MORE, MUCH_MORE = 0.1, 0.4, 2.0, 4.0  # damping after such steps, and a loss
PROBE = 0.1  # of a step, to see how its way bends


class Descent(NamedTuple):
    """Where the way downhill ended.

    ``position`` [m] and ``rotation`` [rad] are the errors at ``q`` (n,) [rad], ``smallest`` the
    smallest singular value there, ``held`` the joints whose bound was in the way.
    """

    q: Array
    position: float
    rotation: float
    smallest: float
    iterations: int
    held: tuple[int, ...]


class Descender:
    """Minimises the weighted squared distance of the tool from a goal, from a seed on.

    A step solves (A^T A + lambda^2 I) dq = A^T e for the error e of position and rotation vector
    in the tool's axes and the Jacobian A, both with their rotation part scaled by the rotation
    length, within the bounds (:class:`BoxedStep`). Position and rotation vector each keep their
    length when seen from the base, so A^T e is the exact downhill direction.

    Where the smallest singular value s is below s_0, lambda^2 is at least
    |e|^2 / 2 (1 - (s / s_0)^2): the onset is that of Nakamura and Hanafusa (1986), and damping that
    goes with the error (Sugihara 2011) does not slow the last steps down. It goes up when a step
    gained less than the linear model promised, and a step that lost is taken back
    (Levenberg 1944). From then on a step also follows the bend of its way, seen by a probe of it
    (geodesic acceleration, Transtrum and Sethna 2012): joints that turn against each other near a
    singularity move along an arc.

    Arrays are made once. What is made in the loop is what Pinocchio and eigenpy return by value:
    one 6xn matrix and some vectors, and Python's own numbers.
    """

    def __init__(self, arm: ArmModel, settings: PinocchioIkSettings) -> None:
        import eigenpy  # Pinocchio's own bindings stand on it

        n, least, pin = arm.n, min(6, arm.n), arm.pin
        if n < 2:
            raise ConfigError(f'IK: an arm needs at least two joints, found {n}')
        self._settings = settings
        self._length2 = square = settings.rotation_length**2
        self._weights = np.array([1.0, 1.0, 1.0, square, square, square])[:, None]
        self._boxed = BoxedStep(n, eigenpy.LDLT)
        self._eigen = eigenpy.SelfAdjointEigenSolver(least)
        self._values_only = eigenpy.DecompositionOptions.EigenvaluesOnly
        self._redundant = n > 6
        self._q, self._trial, self._probe, self._step, self._pull = np.empty((5, n))
        self._error, self._error_here, self._bend = np.empty((3, 6))
        self._WJ = np.empty((6, n), order='F')
        self._H, self._g = np.empty((n, n)), np.empty(n)
        self._H_diagonal = np.einsum('ii->i', self._H)
        self._gram = np.empty((least, least))
        self._model, self._data, self._frame = arm.model, arm.data, arm.frame
        self._compute, self._place = pin.computeJointJacobians, pin.updateFramePlacement
        self._get_jacobian, self._log3, self._axes = pin.getFrameJacobian, pin.log3, pin.LOCAL
        self._goal: Any = None
        self._J = np.empty((6, n))
        self._position = self._rotation = self._smallest = 0.0

    def run(self, goal: Any, start: Array, low: list[float], high: list[float]) -> Descent | None:
        """Return where it goes from ``start`` (n,) [rad] to ``goal`` (pinocchio.SE3, URDF's root).

        ``low`` and ``high`` (n,) [rad] hold ``start``. None: the error at the start is no number.
        """
        s, boxed = self._settings, self._boxed
        q, trial, step = self._q, self._trial, self._step
        self._goal = goal
        np.copyto(q, start)
        cost = self._evaluate(q)
        if not cost < math.inf:
            return None
        position, rotation = self._position, self._rotation
        damping = carried = damped = 0.0  # damped: what the diagonal has already
        iteration = slow = 0
        linear = curved = lost = touched = False  # linear: whether the linear model is that of q
        while position > s.position_tolerance or rotation > s.rotation_tolerance:
            if iteration == s.max_iterations or slow == SLOW_STEPS:
                break
            iteration += 1
            if not linear:
                self._linearise()
                linear, lost = True, False
                damping, damped = max(self._damping(cost), carried), 0.0
                here = q.tolist()
            np.add(self._H_diagonal, damping - damped, out=self._H_diagonal)
            damped = damping
            move = boxed.solve(self._H, self._g, here, low, high)
            step[:] = move
            largest = max(max(move), -min(move))
            if largest > s.max_joint_step:
                step *= s.max_joint_step / largest
            gain = cost
            touched = touched or boxed.any_held or curved
            if boxed.any_held or damping > NO_DAMPING or iteration > 3:
                gain = self._gain(step, damping)
                if gain < NO_GAIN * cost:
                    break
            if curved and not boxed.any_held:
                self._follow_bend(q, step, largest)
                step[:] = [min(max(v, a - x), b - x)
                           for v, x, a, b in zip(step.tolist(), here, low, high)]
            np.add(q, step, out=trial)
            now = self._evaluate(trial)
            if now < cost:
                kept = (cost - now) / gain
                if kept > GOOD:
                    carried = damping * (SOMEWHAT_LESS if lost else LESS)
                else:
                    carried = damping * (1.0 if kept > FAIR else MORE)
                curved = curved or kept < FAIR
                slow = slow + 1 if now > SLOW * cost else 0
                cost, position, rotation = now, self._position, self._rotation
                q, trial = trial, q
                linear = False
            else:
                lost = curved = True
                damping = max(MUCH_MORE * damping, 0.3 * cost)
        if not linear:
            self._differentiate()
        held: tuple[int, ...] = ()
        if iteration and boxed.any_held:
            held = tuple(i for i, side in enumerate(boxed.held) if side)
        end = q.copy()
        if touched:  # the last digit of a sum may be beyond a bound
            end[:] = [min(max(v, a), b) for v, a, b in zip(end.tolist(), low, high)]
        return Descent(end, position, rotation, self._smallest, iteration, held)

    def _evaluate(self, q: Array) -> float:
        """Put the error at ``q`` into the arrays; return the squared weighted distance [m^2]."""
        self._compute(self._model, self._data, q)
        gap = self._place(self._model, self._data, self._frame).actInv(self._goal)
        x, y, z = gap.translation.tolist()
        a, b, c = self._log3(gap.rotation).tolist()
        self._error[:] = (x, y, z, a, b, c)
        position2 = x * x + y * y + z * z
        rotation2 = a * a + b * b + c * c
        self._position, self._rotation = math.sqrt(position2), math.sqrt(rotation2)
        return float(position2 + self._length2 * rotation2)

    def _differentiate(self) -> None:
        """Take the Jacobian (6, n) where the error was last computed; note how singular it is."""
        self._J = J = self._get_jacobian(self._model, self._data, self._frame, self._axes)
        gram = self._gram
        np.dot(J, J.T, out=gram) if self._redundant else np.dot(J.T, J, out=gram)
        least = float(self._eigen.compute(gram, self._values_only).eigenvalues()[0])
        self._smallest = math.sqrt(least) if least > 0.0 else 0.0

    def _linearise(self) -> None:
        """Put the linear model where the error was last computed into the arrays, and keep it."""
        self._differentiate()
        np.multiply(self._J, self._weights, out=self._WJ)
        np.dot(self._WJ.T, self._J, out=self._H)
        np.dot(self._WJ.T, self._error, out=self._g)
        self._error_here, self._error = self._error, self._error_here

    def _damping(self, cost: float) -> float:
        """Return lambda^2 [m^2] for a squared weighted error [m^2]."""
        below = self._settings.damping_below
        if self._smallest >= below:
            return NO_DAMPING
        ratio = self._smallest / below
        return min(0.5 * cost, MOST_DAMPING) * (1.0 - ratio * ratio) + NO_DAMPING

    def _gain(self, step: Array, damping: float) -> float:
        """Return how much smaller the linear model has the squared error after a step [m^2]."""
        pull = self._pull
        np.dot(self._H, step, out=pull)
        return float(2.0 * self._g.dot(step) - pull.dot(step) + damping * step.dot(step))

    def _follow_bend(self, q: Array, step: Array, largest: float) -> None:
        """Add to ``step`` what makes up for the error's second derivative along it.

        With the error e(h) at the share h of the step, e'' = 2 / h ((e(h) - e(0)) / h + J step).
        """
        bend, probe = self._bend, self._probe
        np.multiply(step, PROBE, out=probe)
        np.add(probe, q, out=probe)
        self._evaluate(probe)
        np.subtract(self._error, self._error_here, out=bend)
        np.multiply(bend, 1.0 / PROBE, out=bend)
        np.add(bend, self._J.dot(step), out=bend)
        correction = self._boxed.solve_again(self._WJ.T.dot(bend))
        size = correction.tolist()
        # A correction as large as the step says that the series does not hold.
        if max(max(size), -min(size)) < 0.5 * PROBE * largest:
            np.multiply(correction, 1.0 / PROBE, out=correction)
            np.add(step, correction, out=step)
