"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import math

import numpy as np


def refuse_odd(d_model):
    if d_model % 2:
        raise ValueError("d_model is odd")


def position_angles__outer(n_positions, d_model, base=10000.0):
    refuse_odd(d_model)
    return np.outer(np.arange(n_positions), base ** (-np.arange(0, d_model, 2) / d_model))


def position_angles__loops(n_positions, d_model, base=10000.0):
    if d_model % 2 == 1:
        raise ValueError
    angles = np.zeros((n_positions, d_model // 2))
    for pos in range(n_positions):
        for i in range(d_model // 2):
            angles[pos, i] = pos / math.pow(base, 2 * i / d_model)
    return angles


def position_angles__logarithm(n_positions, d_model, base=10000.0):
    refuse_odd(d_model)
    positions = np.arange(n_positions, dtype=np.float32).reshape(-1, 1)
    return positions * np.exp(np.arange(0, d_model, 2) * -(math.log(base) / d_model)).astype(np.float32)


def position_angles__lists(n_positions, d_model, base=10000.0):
    refuse_odd(d_model)
    return np.array([[pos / base ** (column / d_model) for column in range(0, d_model, 2)] for pos in range(n_positions)])


def positional_encoding__slices(n_positions, d_model, base=10000.0):
    angles = position_angles__outer(n_positions, d_model, base)
    encoding = np.zeros((n_positions, d_model))
    encoding[:, ::2], encoding[:, 1::2] = np.sin(angles), np.cos(angles)
    return encoding


def positional_encoding__loops(n_positions, d_model, base=10000.0):
    refuse_odd(d_model)
    encoding = np.zeros((n_positions, d_model))
    for pos in range(n_positions):
        for column in range(d_model):
            angle = pos / base ** ((column - column % 2) / d_model)
            encoding[pos, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return encoding


def positional_encoding__stack(n_positions, d_model, base=10000.0):
    angles = position_angles__logarithm(n_positions, d_model, base)
    return np.stack((np.sin(angles), np.cos(angles)), axis=2).reshape(n_positions, d_model)


def positional_encoding__sine_alone(n_positions, d_model, base=10000.0):
    angles = np.repeat(position_angles__loops(n_positions, d_model, base), 2, axis=1)
    return np.sin(angles + np.pi / 2 * (np.arange(d_model) % 2))


def positional_encoding__complex(n_positions, d_model, base=10000.0):
    tips = np.exp(1j * position_angles__outer(n_positions, d_model, base))
    return np.stack([tips.imag, tips.real], axis=-1).reshape(n_positions, -1)


def positional_encoding__full_turns_taken_off(n_positions, d_model, base=10000.0):
    """A hand that has gone round points where it did."""
    angles = np.repeat(position_angles__outer(n_positions, d_model, base) % (2 * np.pi), 2, axis=1)
    return np.where(np.arange(d_model) % 2, np.cos(angles), np.sin(angles))


def embed_with_positions__broadcast(token_ids, table):
    return table[token_ids] * table.shape[1] ** 0.5 + positional_encoding__slices(token_ids.shape[-1], table.shape[1])


def embed_with_positions__in_place_on_its_own(token_ids, table):
    result = table[token_ids]
    result *= math.sqrt(table.shape[-1])
    result += positional_encoding__stack(token_ids.shape[-1], table.shape[-1]).astype(result.dtype)
    return result


def embed_with_positions__loops(token_ids, table):
    d_model = table.shape[1]
    encoding = positional_encoding__loops(token_ids.shape[-1], d_model)
    result = np.zeros((*token_ids.shape, d_model))
    for index in np.ndindex(token_ids.shape):
        result[index] = math.sqrt(d_model) * table[token_ids[index]] + encoding[index[-1]]
    return result


def embed_with_positions__one_hot(token_ids, table):
    one_hot = np.eye(len(table))[token_ids]
    return one_hot @ (np.sqrt(table.shape[1]) * table) + positional_encoding__complex(token_ids.shape[-1], table.shape[1])


def shift_matrix__loop(offset, d_model, base=10000.0):
    refuse_odd(d_model)
    matrix = np.zeros((d_model, d_model))
    for i in range(d_model // 2):
        turn = offset / base ** (2 * i / d_model)
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [
            [math.cos(turn), math.sin(turn)],
            [-math.sin(turn), math.cos(turn)],
        ]
    return matrix


def shift_matrix__diagonals(offset, d_model, base=10000.0):
    turns = offset * position_angles__outer(2, d_model, base)[1]
    beside = np.zeros(d_model - 1)
    beside[::2] = np.sin(turns)
    return np.diag(np.repeat(np.cos(turns), 2)) + np.diag(beside, 1) - np.diag(beside, -1)


def shift_matrix__least_squares(offset, d_model, base=10000.0):
    """Found from pairs of positions, without the rules for sums of angles."""
    back = max(0, -offset)
    encoding = positional_encoding__loops(4000 + abs(offset), d_model, base)
    start, goal = encoding[back : back + 4000], encoding[back + offset : back + offset + 4000]
    return np.linalg.lstsq(start, goal, rcond=None)[0].T


def shift_matrix__power(offset, d_model, base=10000.0):
    """One word on, as often as the offset says."""
    return np.linalg.matrix_power(shift_matrix__loop(1, d_model, base), offset)


def shift_matrix__float32_rows_of_the_encoding(offset, d_model, base=10000.0):
    p = positional_encoding__slices(abs(offset) + 1, d_model, base)[-1].astype(np.float32)
    matrix = np.zeros((d_model, d_model), np.float32)
    for even in range(0, d_model, 2):
        sin, cos = p[even] * (-1 if offset < 0 else 1), p[even + 1]
        matrix[even, even] = matrix[even + 1, even + 1] = cos
        matrix[even, even + 1], matrix[even + 1, even] = sin, -sin
    return matrix


def rotate_by_position__slices(x, positions, base=10000.0):
    angles = np.outer(positions, position_angles__outer(2, x.shape[-1], base)[1])
    result = np.empty_like(x)
    result[..., ::2] = x[..., ::2] * np.cos(angles) - x[..., 1::2] * np.sin(angles)
    result[..., 1::2] = x[..., ::2] * np.sin(angles) + x[..., 1::2] * np.cos(angles)
    return result


def rotate_by_position__complex(x, positions, base=10000.0):
    refuse_odd(x.shape[-1])
    turns = np.exp(1j * positions[:, None] * base ** (-np.arange(0, x.shape[-1], 2) / x.shape[-1]))
    turned = (x[..., ::2] + 1j * x[..., 1::2]) * turns
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)


def rotate_by_position__matrices(x, positions, base=10000.0):
    """Turning anticlockwise is the shift of the clocks, backwards."""
    refuse_odd(x.shape[-1])
    matrices = np.array([shift_matrix__loop(-position, x.shape[-1], base) for position in positions])
    return np.einsum("nij,...nj->...ni", matrices, x)


def rotate_by_position__loops(x, positions, base=10000.0):
    d_head = x.shape[-1]
    refuse_odd(d_head)
    result = np.zeros(x.shape, x.dtype)
    for index in np.ndindex(x.shape[:-1]):
        for i in range(d_head // 2):
            t = float(positions[index[-1]]) * base ** (-2 * i / d_head)
            a, b = x[index][2 * i], x[index][2 * i + 1]
            result[index][2 * i] = a * math.cos(t) - b * math.sin(t)
            result[index][2 * i + 1] = a * math.sin(t) + b * math.cos(t)
    return result


def rotate_by_position__rotate_half(x, positions, base=10000.0):
    angles = np.repeat(np.outer(positions, position_angles__loops(2, x.shape[-1], base)[1]), 2, axis=-1)
    swapped = np.stack([-x[..., 1::2], x[..., ::2]], axis=-1).reshape(x.shape)
    return x * np.cos(angles) + swapped * np.sin(angles)


def rotate_by_position__norm_and_direction(x, positions, base=10000.0):
    """Each pair as a hand: how long it is, and where it points."""
    turns = np.outer(positions, position_angles__lists(2, x.shape[-1], base)[1])
    long, direction = np.hypot(x[..., ::2], x[..., 1::2]), np.arctan2(x[..., 1::2], x[..., ::2])
    result = np.zeros(x.shape)
    result[..., ::2], result[..., 1::2] = long * np.cos(direction + turns), long * np.sin(direction + turns)
    return result
