"""Lesson 03: positional encoding."""

import numpy as np

from grader.spec import NUMPY_ONLY, Case, Lesson

LESSON = Lesson("03_positional_encoding", refuse=NUMPY_ONLY)


def even(d_model):
    """Refuses an odd width, as every right answer does."""
    if d_model % 2:
        raise ValueError("odd")
    return d_model


def paces(d_model, base=10000.0):
    """How far each clock's hand turns from one position to the next."""
    return base ** (-np.arange(0, even(d_model), 2) / d_model)


def encoding(positions, d_model, base=10000.0):
    """The encodings of any positions, one a row."""
    angles = np.asarray(positions)[..., None] * paces(d_model, base)
    return interleaved(np.sin(angles), np.cos(angles))


def interleaved(evens, odds):
    return np.stack([evens, odds], axis=-1).reshape(*evens.shape[:-1], -1)


# -------------------------------------------------------------------------------- position_angles


@LESSON.exercise(aspects={"angles": 2, "any base": 1, "odd d_model": 1})
def position_angles(rng):
    yield Case("angles", "five positions, d_model 6", 5, 6)
    yield Case("angles", "twelve positions, d_model 8", 12, 8)
    yield Case("angles", "a single clock", 4, 2)
    yield Case("angles", "fifty positions, d_model 16", 50, 16, hidden=True)
    yield Case("angles", "other sizes", int(rng.integers(6, 30)), 2 * int(rng.integers(2, 12)), hidden=True)
    yield Case("angles", "the same call twice, the first result overwritten between", 4, 6, probe="call_afresh")
    yield Case("any base", "base 50", 5, 6, base=50.0)
    yield Case("any base", "another base", 7, 4, base=float(rng.uniform(2, 50)), hidden=True)
    yield Case("odd d_model", "d_model 5", 4, 5)
    yield Case("odd d_model", "d_model 1", 3, 1)
    yield Case("odd d_model", "d_model 9", 2, 9, hidden=True)


def of_angles_and_encoding(hint):
    """A mistake in the angles, which shows in the encoding as well, under the same name."""

    def register(wrong):
        def in_the_encoding(n_positions, d_model, base=10000.0):
            angles = wrong(n_positions, d_model, base)
            return interleaved(np.sin(angles), np.cos(angles))

        in_the_encoding.__name__ = wrong.__name__
        positional_encoding.mistake(hint)(in_the_encoding)
        return position_angles.mistake(hint)(wrong)

    return register


@LESSON.exercise(aspects={"values": 3, "any base": 1, "odd d_model": 1})
def positional_encoding(rng):
    yield Case("values", "five positions, d_model 6", 5, 6)
    yield Case("values", "twelve positions, d_model 8", 12, 8)
    yield Case("values", "two numbers for each position", 4, 2)
    yield Case("values", "sixty positions, d_model 10", 60, 10, hidden=True)
    yield Case("values", "other sizes", int(rng.integers(6, 30)), 2 * int(rng.integers(2, 12)), hidden=True)
    yield Case("values", "the same call twice, the first result overwritten between", 4, 6, probe="call_afresh")
    yield Case("any base", "base 50", 5, 6, base=50.0)
    yield Case("any base", "another base", 7, 4, base=float(rng.uniform(2, 50)), hidden=True)
    yield Case("odd d_model", "d_model 5", 4, 5)
    yield Case("odd d_model", "d_model 1", 3, 1)
    yield Case("odd d_model", "d_model 7", 3, 7, hidden=True)


@of_angles_and_encoding(
    "The exponent of clock i is i over d_model, so each clock is too fast. Look at what the formula puts before "
    "the i: it counts columns in steps of two."
)
def factor_2_of_the_exponent_left_out(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * base ** (-np.arange(even(d_model) // 2) / d_model)


@of_angles_and_encoding(
    "The exponents are twice as large as they should be, so the clocks slow down too fast. 0, 2, 4, … are the "
    "numbers 2i already: do not double them once more."
)
def exponent_doubled(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * paces(d_model, base) ** 2


@of_angles_and_encoding(
    "All clocks go at the same pace here: `//` divides to whole numbers, which makes every exponent 0. A true "
    "division keeps the fractions."
)
def whole_number_division_in_the_exponent(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / base ** np.zeros(even(d_model) // 2)


@of_angles_and_encoding(
    "You multiply by the power of the base, so each clock is faster than the one before. The later ones are to be "
    "slower: look at which side of the fraction the power stands on."
)
def multiplied_by_the_power_of_the_base(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / paces(d_model, base)


@of_angles_and_encoding("The positions are counted from 1. The first word stands at position 0, where all hands point up.")
def positions_counted_from_1(n_positions, d_model, base=10000.0):
    return np.arange(1, n_positions + 1)[:, None] * paces(d_model, base)


@of_angles_and_encoding(
    "The clocks are counted from 1, so even the first one is slowed down. At i = 0 the divisor is 1."
)
def clocks_counted_from_1(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * paces(d_model, base) * base ** (-2 / d_model)


@of_angles_and_encoding(
    "You divide the positions by how many there are. Then one step means something else in each sentence: the "
    "position goes in as it is."
)
def positions_divided_by_their_number(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / n_positions * paces(d_model, base)


@of_angles_and_encoding(
    "You divide the positions by the last one. That was the second idea of the lesson: one step then means something else in "
    "each sentence. The position goes in as it is."
)
def positions_divided_by_the_last_one(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / max(n_positions - 1, 1) * paces(d_model, base)


@of_angles_and_encoding("The base is 10000 whatever the caller says. Use the argument `base`.")
def base_ignored(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * paces(d_model)


@of_angles_and_encoding("Your angles are in degrees. NumPy's sine and cosine take radians, and so does the formula: nothing to convert.")
def degrees_instead_of_radians(n_positions, d_model, base=10000.0):
    return np.rad2deg(np.arange(n_positions)[:, None] * paces(d_model, base))


@of_angles_and_encoding("Your angles are taken for degrees and converted. They are in radians already: nothing to convert.")
def angles_taken_for_degrees(n_positions, d_model, base=10000.0):
    return np.deg2rad(np.arange(n_positions)[:, None] * paces(d_model, base))


@of_angles_and_encoding("The angles are cut to whole numbers, as by `//` or by a table made with dtype=int. They are fractions.")
def angles_cut_to_whole_numbers(n_positions, d_model, base=10000.0):
    return (np.arange(n_positions)[:, None] * paces(d_model, base)).astype(int)


@of_angles_and_encoding(
    "Without brackets Python raises base to the power 2 and multiplies afterwards. The whole of 2i / d_model is the exponent."
)
def brackets_missing_in_the_exponent(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / (base**2 * np.arange(even(d_model) // 2) / d_model)


@of_angles_and_encoding(
    "Without brackets Python divides by base to the power 2 alone, and multiplies by the rest. The whole of 2i / d_model "
    "is the exponent."
)
def no_brackets_at_all(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / base**2 * np.arange(even(d_model) // 2) / d_model


@of_angles_and_encoding(
    "Your exponent reaches 1 at the last clock. In the formula it stops short of 1: look at what i is divided by."
)
def exponent_reaches_1_at_the_last_clock(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / base ** np.linspace(0, 1, even(d_model) // 2)


@of_angles_and_encoding(
    "You divide the clock's number by one less than there are clocks. So the last exponent is 1, and for a single clock it "
    "is 0/0. Look at what i is divided by."
)
def clock_over_one_less_than_there_are(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / base ** (np.arange(even(d_model) // 2) / np.float64(d_model // 2 - 1))


@of_angles_and_encoding("The exponent is 2i alone, so all clocks but the first stand nearly still. Look at what 2i is divided by.")
def d_model_left_out_of_the_exponent(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / base ** (2.0 * np.arange(even(d_model) // 2))


@of_angles_and_encoding(
    "Python raises to a power before it divides, so it is the power that d_model divides. In the formula the division stands "
    "in the exponent."
)
def power_divided_by_d_model(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / (base ** (2.0 * np.arange(even(d_model) // 2)) / d_model)


@of_angles_and_encoding(
    "Python raises to a power before it divides, so the whole fraction is divided by d_model. In the formula that division "
    "stands in the exponent."
)
def fraction_divided_by_d_model(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / base ** (2.0 * np.arange(even(d_model) // 2)) / d_model


@of_angles_and_encoding("The exponent is 2i over the number of positions. Then the paces change with the length of the text: look at the formula.")
def exponent_over_the_number_of_positions(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / base ** (2 * np.arange(even(d_model) // 2) / n_positions)


@of_angles_and_encoding("The base is multiplied by 2i / d_model, where it is to be raised to that power. In Python a power is written with two stars.")
def base_multiplied_instead_of_raised(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] / (base * 2 * np.arange(even(d_model) // 2) / d_model)


@of_angles_and_encoding(
    "A factor of 2π has come in, so the first hand makes a whole turn with each word and always points the same way. The "
    "formula has no π."
)
def whole_turns_instead_of_radians(n_positions, d_model, base=10000.0):
    return 2 * np.pi * np.arange(n_positions)[:, None] * paces(d_model, base)


@position_angles.mistake("Your table holds zeros only: its rows are never filled. Look at where `return` stands: inside a loop it ends the function at once.")
def table_left_empty(n_positions, d_model, base=10000.0):
    return np.zeros((n_positions, even(d_model) // 2))


@position_angles.mistake("Full turns are taken off your angles. They point the same way, but the angles themselves are wanted, which go on growing.")
def full_turns_taken_off(n_positions, d_model, base=10000.0):
    return (np.arange(n_positions)[:, None] * paces(d_model, base)) % (2 * np.pi)


@position_angles.mistake(
    "There is one angle for each column of the encoding. Two columns, a sine and a cosine, share a clock: half as many angles."
)
def an_angle_for_every_column(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * base ** (-np.arange(even(d_model)) / d_model)


@position_angles.mistake(
    "You count the clocks up to d_model, but each takes two columns: there are half as many, and i ends there."
)
def as_many_clocks_as_columns(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * base ** (-2 * np.arange(even(d_model)) / d_model)


@position_angles.mistake(
    "Positions and clocks are both in a row, so NumPy pairs them one by one. To combine each with each, the "
    "positions have to stand in a column."
)
def positions_not_in_a_column(n_positions, d_model, base=10000.0):
    return np.arange(n_positions) / base ** (2 * np.arange(even(d_model) // 2) / d_model)


@position_angles.mistake("Each angle comes twice. That will be right for the sine and the cosine later; here each clock has one column.")
def every_angle_twice(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * np.repeat(paces(d_model, base), 2)


@position_angles.mistake("Positions and clocks have changed places: each position is to be a row.")
def positions_in_columns(n_positions, d_model, base=10000.0):
    return (np.arange(n_positions)[:, None] * paces(d_model, base)).T


@position_angles.mistake(
    "This is already the sine. The angles themselves are wanted here; sine and cosine come in the next exercise."
)
def sine_already_taken(n_positions, d_model, base=10000.0):
    return np.sin(np.arange(n_positions)[:, None] * paces(d_model, base))


@position_angles.mistake("These are the wavelengths' divisors alone. Each position divides by them: a table with one row a position.")
def divisors_without_positions(n_positions, d_model, base=10000.0):
    return 1 / paces(d_model, base)


@position_angles.mistake(
    "With an odd d_model one column is left without a partner, and you return angles all the same. Raise a ValueError."
)
def odd_width_accepted(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * base ** (-2 * np.arange(d_model // 2) / d_model)


@position_angles.mistake(
    "For an odd d_model you round up to one clock more. No encoding can be made of half a pair: raise a ValueError."
)
def odd_width_rounded_up(n_positions, d_model, base=10000.0):
    return np.arange(n_positions)[:, None] * base ** (-np.arange(0, d_model, 2) / d_model)


@position_angles.mistake("You return the error, or print it, where it is to be raised: `raise` stops the function.")
def error_not_raised(n_positions, d_model, base=10000.0):
    return None if d_model % 2 else np.arange(n_positions)[:, None] * paces(d_model, base)


# ---------------------------------------------------------------------------- positional_encoding


def angles_of(n_positions, d_model, base):
    return np.arange(n_positions)[:, None] * paces(d_model, base)


@positional_encoding.mistake("Sine and cosine have changed places: the sine belongs to the even columns, which begin with column 0.")
def sine_and_cosine_swapped(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return interleaved(np.cos(angles), np.sin(angles))


@positional_encoding.mistake(
    "All sines come first, then all cosines. Here the two columns of a clock are neighbours: sine, cosine, sine, cosine."
)
def all_sines_then_all_cosines(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


@positional_encoding.mistake(
    "Each column has a pace of its own, as if its number were 2i. The cosine in column 2i + 1 has the same angle "
    "as the sine before it."
)
def every_column_with_its_own_pace(n_positions, d_model, base=10000.0):
    angles = np.arange(n_positions)[:, None] * base ** (-np.arange(even(d_model)) / d_model)
    return interleaved(np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2]))


@positional_encoding.mistake(
    "The cosine is taken of the next clock's angle, i + 1. Sine and cosine of one clock have the same angle."
)
def cosine_of_the_next_clock(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return interleaved(np.sin(angles), np.cos(angles * base ** (-2 / d_model)))


@positional_encoding.mistake(
    "The exponent is twice the column's number. In the formula i counts clocks: for column 2i the exponent is the "
    "column's number itself, and column 2i + 1 has the angle of its neighbour."
)
def column_number_taken_for_i(n_positions, d_model, base=10000.0):
    angles = np.arange(n_positions)[:, None] * base ** (-2 * np.arange(even(d_model)) / d_model)
    return interleaved(np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2]))


@positional_encoding.mistake(
    "The angles are put side by side twice, so a sine and its neighbour the cosine belong to different clocks. Each "
    "clock takes two columns next to each other."
)
def neighbours_from_different_clocks(n_positions, d_model, base=10000.0):
    angles = np.tile(angles_of(n_positions, d_model, base), 2)
    return np.where(np.arange(d_model) % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.mistake(
    "The right numbers have landed in the wrong places: reshape only cuts the table anew, in reading order, and does "
    "not put sine and cosine next to each other."
)
def scrambled_by_reshape(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.array([np.sin(angles), np.cos(angles)]).reshape(n_positions, d_model)


@positional_encoding.mistake(
    "Sine and cosine of each clock stand on an axis of their own, so there are three axes. A reshape at the end makes "
    "the last two into one."
)
def stacked_but_not_reshaped(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1)


@positional_encoding.mistake(
    "np.stack puts its two tables on a new axis in front, so there are three axes. Sine and cosine of one clock have to be "
    "neighbours in the last axis."
)
def stacked_on_a_new_first_axis(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.stack([np.sin(angles), np.cos(angles)])


@positional_encoding.mistake(
    "Sines and cosines stand on a new axis in the middle, so there are three axes. Sine and cosine of one clock have to be "
    "neighbours in the last axis."
)
def stacked_on_a_new_middle_axis(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


@positional_encoding.mistake("The cosines stand in rows below the sines. They belong into the same rows, each beside its sine.")
def cosines_below_the_sines(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.concatenate([np.sin(angles), np.cos(angles)])


@positional_encoding.mistake("You return two tables, the sines and the cosines. One table is wanted, in which they take turns.")
def sines_and_cosines_returned_apart(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.sin(angles), np.cos(angles)


@positional_encoding.mistake("Sine and cosine are added up to one number. Each of them has a column of its own.")
def sine_and_cosine_added_up(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return np.sin(angles) + np.cos(angles)


@positional_encoding.mistake("The cosines are written over the sines, and the odd columns stay empty. Look at where your two slices begin.")
def cosines_written_over_the_sines(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return interleaved(np.cos(angles), np.zeros_like(angles))


@positional_encoding.mistake(
    "Clock i fills the columns i and i + 1, so each sine is written over the cosine before it. Each clock takes two columns: "
    "where does the next one begin?"
)
def overlapping_columns(n_positions, d_model, base=10000.0):
    angles, result = angles_of(n_positions, d_model, base), np.zeros((n_positions, d_model))
    for i in range(d_model // 2):
        result[:, i], result[:, i + 1] = np.sin(angles[:, i]), np.cos(angles[:, i])
    return result


@positional_encoding.mistake("Your slice takes every second row. It is every second column that holds the sines: a slice for the rows comes first.")
def every_second_row_filled(n_positions, d_model, base=10000.0):
    angles, result = angles_of(n_positions, d_model, base), np.zeros((n_positions, d_model))
    result[0::2] = np.sin(angles)
    result[1::2] = np.cos(angles)
    return result


@positional_encoding.mistake("The table holds whole numbers, so every sine and cosine is cut to -1, 0 or 1. Make it without dtype=int.")
def table_of_whole_numbers(n_positions, d_model, base=10000.0):
    return encoding(np.arange(n_positions), d_model, base).astype(int)


@positional_encoding.mistake("There are sines in every column. The odd columns hold cosines, as a sine alone does not tell where a hand points.")
def sine_in_every_column(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return interleaved(np.sin(angles), np.sin(angles))


@positional_encoding.mistake(
    "Sine and cosine alternate from position to position. They are to alternate from column to column: look at "
    "which axis your slices take steps on."
)
def sine_and_cosine_alternate_by_row(n_positions, d_model, base=10000.0):
    angles = np.repeat(angles_of(n_positions, d_model, base), 2, axis=1)
    return np.where(np.arange(n_positions)[:, None] % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.mistake("Only the sines are returned, d_model / 2 columns. The cosines fill the other half.")
def cosines_missing(n_positions, d_model, base=10000.0):
    return np.sin(angles_of(n_positions, d_model, base))


@positional_encoding.mistake("The odd columns are left at 0: the cosines never get there.")
def odd_columns_left_empty(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return interleaved(np.sin(angles), np.zeros_like(angles))


@positional_encoding.mistake("Positions and columns have changed places: each position is to be a row.")
def encodings_in_columns(n_positions, d_model, base=10000.0):
    return encoding(np.arange(n_positions), d_model, base).T


@positional_encoding.mistake("These are the angles, without sine and cosine. They grow with the position, while a hand's tip stays between -1 and 1.")
def angles_without_sine_and_cosine(n_positions, d_model, base=10000.0):
    angles = angles_of(n_positions, d_model, base)
    return interleaved(angles, angles)


@positional_encoding.mistake(
    "You accept an odd d_model, and its last column is a sine without a cosine. Raise a ValueError instead."
)
def odd_width_gets_a_lonely_sine(n_positions, d_model, base=10000.0):
    columns = np.arange(d_model)
    angles = np.arange(n_positions)[:, None] * base ** (-(columns - columns % 2) / d_model)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.mistake(
    "For an odd d_model you return one column fewer than asked for. Raise a ValueError instead."
)
def odd_width_loses_a_column(n_positions, d_model, base=10000.0):
    angles = np.arange(n_positions)[:, None] * base ** (-2 * np.arange(d_model // 2) / d_model)
    return interleaved(np.sin(angles), np.cos(angles))


@positional_encoding.mistake(
    "For an odd d_model your table has one column too many or stays empty at the end. Raise a ValueError instead."
)
def odd_width_leaves_an_empty_column(n_positions, d_model, base=10000.0):
    result = np.zeros((n_positions, d_model))
    result[:, : d_model // 2 * 2] = odd_width_loses_a_column(n_positions, d_model, base)
    return result


# --------------------------------------------------------------------------- embed_with_positions


@LESSON.exercise(aspects={"values": 3, "batch axes": 1, "odd d_model": 1, "inputs unchanged": 1})
def embed_with_positions(rng):
    table = rng.normal(size=(8, 6))
    yield Case("values", "one sentence of five words", rng.permutation(8)[:5], table)
    yield Case("values", "a word that comes twice", np.array([3, 7, 3, 0]), rng.normal(size=(8, 4)))
    yield Case("values", "a table of zeros", np.array([2, 0, 1]), np.zeros((6, 4)))
    yield Case("values", "a table in float32", np.array([2, 0]), rng.normal(size=(6, 4)).astype(np.float32), hidden=True)
    yield Case("values", "twelve words, d_model 10", rng.integers(8, size=12), rng.normal(size=(8, 10)), hidden=True)
    yield Case("values", "the same call twice, the first result overwritten between", np.array([1, 4, 2]), table, probe="call_afresh")
    yield Case("batch axes", "two sentences at once", rng.integers(8, size=(2, 5)), table)
    yield Case("batch axes", "three sentences of three words", rng.integers(8, size=(3, 3)), table)
    yield Case("batch axes", "three batch axes", rng.integers(6, size=(2, 1, 3, 4)), rng.normal(size=(6, 8)), hidden=True)
    yield Case("odd d_model", "a table with five columns", np.array([2, 0, 1]), rng.normal(size=(4, 5)))
    yield Case("odd d_model", "a table with three columns", np.array([[2, 0]]), rng.normal(size=(4, 3)), hidden=True)


def words_and_positions(token_ids, table):
    n, d_model = token_ids.shape[-1], table.shape[-1]
    return table[token_ids], encoding(np.arange(n), d_model), np.sqrt(d_model)


@embed_with_positions.mistake(
    "The words are looked up as they are. They are to be multiplied first: look at what stands before T in the formula."
)
def words_not_scaled(token_ids, table):
    words, positions, _ = words_and_positions(token_ids, table)
    return words + positions


@embed_with_positions.mistake("The encoding is scaled too. The factor belongs to the word alone; the encoding is added as it is.")
def encoding_scaled_too(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return (words + positions) * root


@embed_with_positions.mistake("The factor has gone to the encoding. It belongs to the word.")
def factor_on_the_encoding_instead(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words + positions * root


@embed_with_positions.mistake("You divide the words by the root of d_model. In attention that is right; here they are to become larger.")
def words_divided_by_the_root_of_d_model(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words / root + positions


@embed_with_positions.mistake("You multiply by d_model itself. The formula has its root.")
def words_multiplied_by_d_model(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words * root**2 + positions


@embed_with_positions.mistake("The root is that of the number of words in the vocabulary. It is how many numbers describe one word that counts.")
def root_of_the_vocabulary(token_ids, table):
    words, positions, _ = words_and_positions(token_ids, table)
    return words * np.sqrt(len(table)) + positions


@embed_with_positions.mistake("The root is that of the number of words in the sentence. It is how many numbers describe one word that counts.")
def root_of_the_sentence_length(token_ids, table):
    words, positions, _ = words_and_positions(token_ids, table)
    return words * np.sqrt(token_ids.shape[-1]) + positions


@embed_with_positions.mistake(
    "Your d_model is the number of rows of the table, one for each word of the vocabulary. How many numbers describe one "
    "word is its other axis."
)
def d_model_taken_from_the_rows_of_the_table(token_ids, table):
    return table[token_ids] * np.sqrt(len(table)) + encoding(np.arange(token_ids.shape[-1]), len(table))


@embed_with_positions.mistake("The encoding has come in twice. Each word gets the vector of its position once.")
def encoding_added_twice(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words * root + 2 * positions


@embed_with_positions.mistake("The bare numbers 0, 1, 2, … are added. Each position has a vector: its encoding.")
def position_numbers_added(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root + np.arange(token_ids.shape[-1])[:, None]


@embed_with_positions.mistake("The positional encoding is never added: the words still do not know where they stand.")
def encoding_never_added(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root


@embed_with_positions.mistake("Words and encoding are multiplied with each other. They are to be added.")
def encoding_multiplied_in(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words * root * positions


@embed_with_positions.mistake("The encoding is appended to each word, which makes the vectors twice as long. It is to be added, number by number.")
def encoding_appended(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return np.concatenate([words * root, np.broadcast_to(positions, words.shape)], axis=-1)


@embed_with_positions.mistake("The words are missing: only the encoding of the positions is returned.")
def positions_without_words(token_ids, table):
    words, positions, _ = words_and_positions(token_ids, table)
    return np.broadcast_to(positions, words.shape)


@embed_with_positions.mistake(
    "Each word gets the encoding of its token id, which is the same wherever it stands. What counts is its place in "
    "the sentence."
)
def encoding_of_the_token_id(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words * root + encoding(token_ids, table.shape[-1])


@embed_with_positions.mistake("All words of a sentence get the encoding of position 0. Each place has its own.")
def position_0_for_every_word(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words * root + positions[0]


@embed_with_positions.mistake("The first word gets the encoding of position 1. Positions count from 0.")
def first_word_at_position_1(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    return words * root + encoding(np.arange(1, token_ids.shape[-1] + 1), table.shape[-1])


@embed_with_positions.mistake(
    "The positions run along the first axis. With several sentences that is the number of the sentence, not the "
    "place of the word."
)
def encoding_by_the_number_of_the_sentence(token_ids, table):
    words, positions, root = words_and_positions(token_ids, table)
    by_sentence = encoding(np.arange(len(token_ids)), table.shape[-1])
    return words * root + by_sentence.reshape(len(token_ids), *[1] * (words.ndim - 2), -1)


@embed_with_positions.mistake(
    "The number of positions is taken from the first axis. With several sentences that counts sentences; the words "
    "are on the last axis of `token_ids`."
)
def number_of_positions_from_the_first_axis(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root + encoding(np.arange(len(token_ids)), table.shape[-1])


@embed_with_positions.mistake(
    "The number of positions is taken from axis 1 of `token_ids`, which a single sentence does not have. Count the axes from "
    "the end."
)
def number_of_positions_from_axis_1(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root + encoding(np.arange(token_ids.shape[1]), table.shape[-1])


@embed_with_positions.mistake(
    "The number of positions is taken from axis 1 of the looked-up words. For a single sentence that is how many numbers "
    "describe a word. Count the axes from the end."
)
def numbers_of_a_word_counted_as_positions(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root + encoding(np.arange(words.shape[1]), table.shape[-1])


@embed_with_positions.mistake("You ask for as many positions as there are words in all sentences together. Each sentence has positions of its own.")
def words_of_all_sentences_counted_as_positions(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root + encoding(np.arange(token_ids.size), table.shape[-1])


@embed_with_positions.mistake("You ask for as many positions as the vocabulary has words. It is the words of the sentence that stand somewhere.")
def vocabulary_counted_as_positions(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root + encoding(np.arange(len(table)), table.shape[-1])


@embed_with_positions.mistake(
    "Your loop goes along the first axis. With several sentences it meets whole sentences there, not words."
)
def loop_over_the_first_axis(token_ids, table):
    _, _, root = words_and_positions(token_ids, table)
    result = np.zeros((len(token_ids), table.shape[-1]))
    for pos, token_id in enumerate(token_ids):
        result[pos] = table[token_id] * root + encoding(pos, table.shape[-1])
    return result


@embed_with_positions.mistake("The second sentence counts on where the first one ended. Positions start from 0 in each sentence.")
def positions_run_on_into_the_next_sentence(token_ids, table):
    words, _, root = words_and_positions(token_ids, table)
    return words * root + encoding(np.arange(token_ids.size).reshape(token_ids.shape), table.shape[-1])


@embed_with_positions.mistake(
    "The result is right, but `*=` or `+=` writes into the table you were given, which its owner still needs. Compute "
    "a new array instead."
)
def table_changed_in_place(token_ids, table):
    table *= np.sqrt(even(table.shape[-1])).astype(table.dtype)
    return table[token_ids] + encoding(np.arange(token_ids.shape[-1]), table.shape[-1])


@embed_with_positions.mistake("A table with an odd number of columns is accepted, and its last column gets a sine without a cosine. Raise a ValueError.")
def odd_table_accepted(token_ids, table):
    d_model = table.shape[-1]
    positions = odd_width_gets_a_lonely_sine(token_ids.shape[-1], d_model)
    return table[token_ids] * np.sqrt(d_model) + positions


# ----------------------------------------------------------------------------------- shift_matrix


@LESSON.exercise(aspects={"shifts every position": 3, "back and nowhere": 1, "any base": 1, "odd d_model": 1})
def shift_matrix(rng):
    def shift(aspect, says, offset, d_model, probe="product", hidden=False, **base):
        """As many encodings as columns, so that a wrong shape is told as one of the matrix."""
        farthest = rng.permutation(np.arange(max(0, -offset), max(0, -offset) + 6 * d_model))[:d_model]
        vectors = encoding(farthest, d_model, **base).T
        what = f"{says}: your matrix times the encodings of {d_model} positions"
        return Case(aspect, what, offset, d_model, vectors, probe=probe, hidden=hidden, **base)

    yield shift("shifts every position", "offset 3", 3, 6)
    yield shift("shifts every position", "offset 1, d_model 4", 1, 4)
    yield shift("shifts every position", "offset 1, a single clock", 1, 2)
    yield shift("shifts every position", "a large offset", int(rng.integers(20, 40)), 8, hidden=True)
    yield shift("shifts every position", "the same call twice, the first result overwritten between", 2, 6, "product_afresh")
    yield shift("back and nowhere", "offset -2", -2, 6)
    yield shift("back and nowhere", "offset 0", 0, 4)
    yield shift("back and nowhere", "a negative offset", -int(rng.integers(5, 30)), 10, hidden=True)
    yield shift("any base", "base 50", 2, 6, base=50.0)
    yield shift("any base", "another base", 5, 4, base=float(rng.uniform(2, 20)), hidden=True)
    yield Case("odd d_model", "d_model 5", 2, 5, np.ones((5, 5)), probe="product")
    yield Case("odd d_model", "d_model 3", -1, 3, np.ones((3, 3)), probe="product", hidden=True)


def blocks(turns, entries):
    """A matrix with a block for each turn; `entries` makes ((a, b), (c, d)) of cosines and sines."""
    (a, b), (c, d) = entries(np.cos(turns), np.sin(turns))
    matrix = np.zeros((2 * len(turns), 2 * len(turns)))
    for i in range(len(turns)):
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[a[i], b[i]], [c[i], d[i]]]
    return matrix


def clockwise(cos, sin):
    return (cos, sin), (-sin, cos)


@shift_matrix.mistake(
    "Your matrix turns the hands back instead of on: it leads from pos + offset to pos. Look at which of the two sines "
    "has the minus sign."
)
def turned_the_wrong_way(offset, d_model, base=10000.0):
    return blocks(-offset * paces(d_model, base), clockwise)


@shift_matrix.mistake("Both sines have the same sign, so the hands change their lengths instead of turning. One of the two has a minus.")
def minus_sign_left_out(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), lambda cos, sin: ((cos, sin), (sin, cos)))


@shift_matrix.mistake("Both sines have a minus, so the hands change their lengths instead of turning. Compare with the formula, sine by sine.")
def minus_at_both_sines(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), lambda cos, sin: ((cos, -sin), (-sin, cos)))


@shift_matrix.mistake("The minus stands at the first cosine. With offset 0 nothing may change: which entries are 1 then?")
def minus_at_the_first_cosine(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), lambda cos, sin: ((-cos, sin), (sin, cos)))


@shift_matrix.mistake("The minus stands at a cosine, which turns the hand over instead of on. With offset 0 nothing may change: which entries are 1 then?")
def minus_at_a_cosine(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), lambda cos, sin: ((cos, sin), (sin, -cos)))


@shift_matrix.mistake("The turns are made into degrees. NumPy's sine and cosine take radians, as the paces are: nothing to convert.")
def turns_in_degrees(offset, d_model, base=10000.0):
    return blocks(np.rad2deg(offset * paces(d_model, base)), clockwise)


@shift_matrix.mistake("The blocks are added to a matrix that has ones on its diagonal already. Start from zeros.")
def blocks_added_to_the_identity(offset, d_model, base=10000.0):
    return np.eye(even(d_model)) + blocks(offset * paces(d_model, base), clockwise)


@shift_matrix.mistake(
    "This is a diagonal of ones, moved to the side: it moves the numbers of one vector to other columns. What has to "
    "move is the position: each hand turns, and its two numbers stay in their columns."
)
def diagonal_moved_to_the_side(offset, d_model, base=10000.0):
    return np.eye(even(d_model), k=offset)


@shift_matrix.mistake(
    "This is a diagonal of ones, moved downwards: it moves the numbers of one vector to other columns. What has to move is "
    "the position: each hand turns, and its two numbers stay in their columns."
)
def diagonal_moved_downwards(offset, d_model, base=10000.0):
    return np.eye(even(d_model), k=-offset)


@shift_matrix.mistake("This is the identity matrix: every vector stays as it is, whatever `offset` says. Each hand has to turn.")
def every_vector_left_as_it_is(offset, d_model, base=10000.0):
    return np.eye(even(d_model))


@shift_matrix.mistake(
    "Your blocks lie side by side on a third axis: an array of shape (2, 2, d_model / 2). Each has to take its own place "
    "on the diagonal of one large matrix."
)
def blocks_on_a_third_axis(offset, d_model, base=10000.0):
    turns = offset * paces(d_model, base)
    return np.array([[np.cos(turns), np.sin(turns)], [-np.sin(turns), np.cos(turns)]])


@shift_matrix.mistake("Sines and cosines have changed places in the blocks. With offset 0 nothing may turn: which of them is 1 then?")
def sines_on_the_diagonal(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), lambda cos, sin: ((sin, cos), (cos, -sin)))


@shift_matrix.mistake("Each sine stands where a cosine belongs, and each cosine where a sine does. With offset 0 nothing may turn: which of them is 1 then?")
def sines_and_cosines_exchanged(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), lambda cos, sin: ((sin, cos), (-cos, sin)))


@shift_matrix.mistake(
    "Your blocks take a sine from the first half of the encoding and a cosine from the second half. Here the two "
    "numbers of a clock are neighbours."
)
def pairs_taken_from_two_halves(offset, d_model, base=10000.0):
    cos, sin = (np.diag(f(offset * paces(d_model, base))) for f in (np.cos, np.sin))
    return np.block([[cos, sin], [-sin, cos]])


@shift_matrix.mistake("All hands turn by the same angle. Each clock has a pace of its own.")
def every_clock_turned_alike(offset, d_model, base=10000.0):
    return blocks(np.full(even(d_model) // 2, float(offset)), clockwise)


@shift_matrix.mistake("Only the first clock turns, and the others stand still. Each clock has its own block on the diagonal.")
def only_the_first_clock_turned(offset, d_model, base=10000.0):
    turns = offset * paces(d_model, base)
    turns[1:] = 0
    return blocks(turns, clockwise)


@shift_matrix.mistake("The paces fall too slowly from clock to clock: look at the exponent once more, or take the paces from position_angles.")
def paces_without_the_factor_2(offset, d_model, base=10000.0):
    return blocks(offset * base ** (-np.arange(even(d_model) // 2) / d_model), clockwise)


@shift_matrix.mistake("The sine in each block is missing, so the hands shrink instead of turning.")
def cosines_alone(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), lambda cos, sin: ((cos, 0 * cos), (0 * cos, cos)))


@shift_matrix.mistake(
    "Your matrix moves the numbers of one vector to other columns. What has to move is the position: each hand "
    "turns, and its two numbers stay in their columns."
)
def columns_moved_instead_of_positions(offset, d_model, base=10000.0):
    return np.roll(np.eye(even(d_model)), offset, axis=0)


@shift_matrix.mistake(
    "Your matrix moves the numbers of one vector to earlier columns, round the end. What has to move is the position: each "
    "hand turns, and its two numbers stay in their columns."
)
def columns_moved_round(offset, d_model, base=10000.0):
    return np.roll(np.eye(even(d_model)), offset, axis=1)


@shift_matrix.mistake(
    "Your matrix leads from one position to its goal, but not from the others. Find numbers that do not contain the "
    "position at all."
)
def right_for_one_position_only(offset, d_model, base=10000.0):
    start, goal = encoding([0, offset], d_model, base)
    return np.outer(goal, start) / (start @ start)


@shift_matrix.mistake("This is the encoding of position `offset`, a vector. A matrix is wanted, which leads from any position to another.")
def encoding_of_the_offset_returned(offset, d_model, base=10000.0):
    return encoding(offset, d_model, base)


@shift_matrix.mistake("The blocks come one by one. Put them on the diagonal of one large matrix, with zeros everywhere else.")
def blocks_not_put_together(offset, d_model, base=10000.0):
    turns = offset * paces(d_model, base)
    return np.array([blocks(turns[i : i + 1], clockwise) for i in range(len(turns))])


@shift_matrix.mistake("This is the block of one clock, two by two. There is one for each clock, on the diagonal of one large matrix.")
def block_of_the_first_clock_alone(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base)[:1], clockwise)


@shift_matrix.mistake("Your matrix holds zeros only: its blocks are never filled in. Look at where `return` stands: inside a loop it ends the function at once.")
def matrix_left_empty(offset, d_model, base=10000.0):
    return np.zeros((even(d_model), d_model))


@shift_matrix.mistake("Your matrix is made of whole numbers, so every sine and cosine is cut to -1, 0 or 1. Make it without dtype=int.")
def matrix_of_whole_numbers(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model, base), clockwise).astype(int)


@shift_matrix.mistake(
    "The offset counts twice: once as a row of position_angles, and once more as a factor. The paces alone are the row of "
    "position 1."
)
def offset_counted_twice(offset, d_model, base=10000.0):
    return blocks(offset * abs(offset) * paces(d_model, base), clockwise)


@shift_matrix.mistake("The offset is squared, so going back goes forward as well, and too far. It counts once.")
def offset_squared(offset, d_model, base=10000.0):
    return blocks(offset**2 * paces(d_model, base), clockwise)


@shift_matrix.mistake("The matrix is always for one word on, whatever `offset` says.")
def one_word_on_whatever_the_offset(offset, d_model, base=10000.0):
    return blocks(paces(d_model, base), clockwise)


@shift_matrix.mistake("The matrix for one word on is multiplied by the offset, which makes the hands longer. It is the angle that grows with the offset.")
def matrix_multiplied_by_the_offset(offset, d_model, base=10000.0):
    return offset * blocks(paces(d_model, base), clockwise)


@shift_matrix.mistake("The blocks overlap: each takes two rows and columns, so the next one begins two farther on.")
def overlapping_blocks(offset, d_model, base=10000.0):
    matrix = np.zeros((even(d_model), d_model))
    for i, turn in enumerate(offset * paces(d_model, base)):
        matrix[i : i + 2, i : i + 2] = blocks(np.array([turn]), clockwise)
    return matrix


@shift_matrix.mistake("The sign of the offset is lost, so going back goes forward as well.")
def sign_of_the_offset_lost(offset, d_model, base=10000.0):
    return blocks(abs(offset) * paces(d_model, base), clockwise)


@shift_matrix.mistake(
    "A negative offset finds no row in a table of positions, which begins at 0. Take the paces at position 1 and "
    "multiply them by the offset."
)
def offset_looked_up_in_a_table(offset, d_model, base=10000.0):
    return blocks((np.arange(offset + 1)[:, None] * paces(d_model, base))[offset], clockwise)


@shift_matrix.mistake(
    "For a negative offset your table of positions has no rows, so there is no last one. Take the paces at position 1 and "
    "multiply them by the offset."
)
def last_row_of_a_table_taken(offset, d_model, base=10000.0):
    return blocks((np.arange(offset + 1)[:, None] * paces(d_model, base))[-1], clockwise)


@shift_matrix.mistake(
    "A negative offset serves as a row number, which NumPy counts from the end of the table. Take the paces at position 1 and "
    "multiply them by the offset."
)
def negative_offset_as_a_row_number(offset, d_model, base=10000.0):
    return blocks((np.arange(abs(offset) + 1)[:, None] * paces(d_model, base))[offset], clockwise)


@shift_matrix.mistake("The base is 10000 whatever the caller says. Pass the argument `base` on.")
def base_not_passed_on(offset, d_model, base=10000.0):
    return blocks(offset * paces(d_model), clockwise)


@shift_matrix.mistake("You accept an odd d_model, where one column is left without a partner. Raise a ValueError.")
def odd_width_not_refused(offset, d_model, base=10000.0):
    matrix = np.eye(d_model)
    whole = d_model // 2 * 2
    matrix[:whole, :whole] = blocks(offset * base ** (-np.arange(0, whole, 2) / d_model), clockwise)
    return matrix


@shift_matrix.mistake("For an odd d_model the last row and column of your matrix stay empty. Raise a ValueError instead.")
def odd_width_leaves_a_row_of_zeros(offset, d_model, base=10000.0):
    matrix = odd_width_not_refused(offset, d_model, base)
    matrix[d_model // 2 * 2 :, d_model // 2 * 2 :] = 0
    return matrix


# ----------------------------------------------------------------------------- rotate_by_position


@LESSON.exercise(
    aspects={"values": 2, "any positions": 1, "any base": 1, "batch axes": 1, "odd d_head": 1, "inputs unchanged": 1}
)
def rotate_by_position(rng):
    yield Case("values", "five words at positions 0 to 4", rng.normal(size=(5, 6)), np.arange(5))
    yield Case("values", "three words, d_head 4, positions that are not 0, 1, 2", rng.normal(size=(3, 4)), np.array([7, 2, 4]))
    yield Case("values", "one pair a word", rng.normal(size=(4, 2)), np.arange(4))
    yield Case("values", "numbers in float32", rng.normal(size=(3, 6)).astype(np.float32), np.arange(1, 4), hidden=True)
    yield Case("any base", "base 50", rng.normal(size=(3, 6)), np.arange(3) + 1, base=50.0)
    yield Case("any base", "another base", rng.normal(size=(4, 8)), rng.permutation(9)[:4], base=float(rng.uniform(2, 20)), hidden=True)
    yield Case("values", "the same call twice, with other numbers between", rng.normal(size=(3, 4)), np.array([3, 1, 6]), probe="call_again")
    yield Case("any positions", "fractions, a negative one too", rng.normal(size=(4, 6)), np.array([0.25, -0.25, 2.4, 12.0]))
    yield Case("any positions", "one word, far off", rng.normal(size=(1, 8)), rng.integers(50, 99, size=1) + 0.3, hidden=True)
    yield Case("any positions", "the same position twice", rng.normal(size=(3, 4)), np.array([1.25, 0.0, 1.25]), hidden=True)
    yield Case("batch axes", "two sentences at once", rng.normal(size=(2, 6, 4)), np.arange(6) + 1)
    yield Case("batch axes", "six sentences of six words", rng.normal(size=(6, 6, 4)), rng.permutation(9)[:6])
    yield Case("batch axes", "sentences and heads", rng.normal(size=(2, 6, 3, 4)), rng.permutation(9)[:3], hidden=True)
    yield Case("odd d_head", "d_head 5", rng.normal(size=(3, 5)), np.arange(3))
    yield Case("odd d_head", "d_head 1, which leaves no pair at all", rng.normal(size=(3, 1)), np.arange(3))
    yield Case("odd d_head", "d_head 3", rng.normal(size=(2, 4, 3)), np.arange(4), hidden=True)


def turned(x, angles):
    """Each pair of the last axis turned anticlockwise."""
    a, b = x[..., 0::2], x[..., 1::2]
    return interleaved(a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles))


def turns(x, positions, base):
    return np.asarray(positions)[:, None] * paces(x.shape[-1], base)


@rotate_by_position.mistake(
    "The pairs turn the other way. That comes of the shift matrix of the clocks, which go clockwise: look at which "
    "of the two sines has the minus sign here."
)
def rotated_the_wrong_way(x, positions, base=10000.0):
    return turned(x, -turns(x, positions, base))


@rotate_by_position.mistake(
    "Each pair is made of a number from the first half and one from the second half. Some libraries do it like "
    "that; here a pair is two neighbours, 2i and 2i + 1."
)
def halves_instead_of_neighbours(x, positions, base=10000.0):
    angles = turns(x, positions, base)
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles)], axis=-1)


@rotate_by_position.mistake(
    "The right numbers stand in the wrong places: all first ones of the pairs, then all second ones. Put each pair "
    "back to its two neighbouring places."
)
def pairs_not_put_back_in_place(x, positions, base=10000.0):
    result = turned(x, turns(x, positions, base))
    return np.concatenate([result[..., 0::2], result[..., 1::2]], axis=-1)


@rotate_by_position.mistake(
    "The words count as 0, 1, 2, … whatever `positions` says. The caller tells where each word stands."
)
def given_positions_ignored(x, positions, base=10000.0):
    return turned(x, turns(x, np.arange(x.shape[-2]), base))


@rotate_by_position.mistake("Nothing is turned: what comes back is what went in.")
def returned_as_it_was(x, positions, base=10000.0):
    even(x.shape[-1])
    return x


@rotate_by_position.mistake(
    "The second number of each pair is computed from the first one that is already turned. Both formulas need the "
    "old pair, so keep it."
)
def new_first_number_used_for_the_second(x, positions, base=10000.0):
    angles = turns(x, positions, base)
    first = x[..., 0::2] * np.cos(angles) - x[..., 1::2] * np.sin(angles)
    return interleaved(first, first * np.sin(angles) + x[..., 1::2] * np.cos(angles))


@rotate_by_position.mistake(
    "The second number of each pair is computed from the first one that is already turned, and the input is "
    "overwritten on the way. Work on a new array, and keep the old pair."
)
def pair_overwritten_while_turning(x, positions, base=10000.0):
    angles = turns(x, positions, base)
    x[..., 0::2] = x[..., 0::2] * np.cos(angles) - x[..., 1::2] * np.sin(angles)
    x[..., 1::2] = x[..., 0::2] * np.sin(angles) + x[..., 1::2] * np.cos(angles)
    return x


@rotate_by_position.mistake("Both formulas have the same sign, so lengths change. In a rotation one of the two sines is subtracted.")
def sines_with_the_same_sign(x, positions, base=10000.0):
    angles = turns(x, positions, base)
    a, b = x[..., 0::2], x[..., 1::2]
    return interleaved(a * np.cos(angles) + b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles))


def paired(x, angles, formulas):
    """Each pair of the last axis made into another: `formulas` of a, b, cosine and sine."""
    return interleaved(*formulas(x[..., 0::2], x[..., 1::2], np.cos(angles), np.sin(angles)))


@rotate_by_position.mistake("Both formulas have a minus, so the second number is wrong even where nothing turns. One of the two sines is subtracted, no more.")
def minus_in_both_formulas(x, positions, base=10000.0):
    return paired(x, turns(x, positions, base), lambda a, b, cos, sin: (a * cos - b * sin, a * sin - b * cos))


@rotate_by_position.mistake("Both sines are subtracted, so lengths change. Compare with the formula, sine by sine.")
def both_sines_subtracted(x, positions, base=10000.0):
    return paired(x, turns(x, positions, base), lambda a, b, cos, sin: (a * cos - b * sin, b * cos - a * sin))


@rotate_by_position.mistake("The minus stands at a cosine. At position 0 nothing may change: what do your formulas give there?")
def minus_at_a_cosine(x, positions, base=10000.0):
    return paired(x, turns(x, positions, base), lambda a, b, cos, sin: (a * cos + b * sin, a * sin - b * cos))


@rotate_by_position.mistake("In the first formula the minus stands at the cosine. At position 0 nothing may change: what does it give there?")
def minus_at_the_first_cosine(x, positions, base=10000.0):
    return paired(x, turns(x, positions, base), lambda a, b, cos, sin: (b * sin - a * cos, a * sin + b * cos))


@rotate_by_position.mistake("The second formula has a with the cosine and b with the sine, as the first. At position 0 it gives a: which number is to come out?")
def second_formula_like_the_first(x, positions, base=10000.0):
    return paired(x, turns(x, positions, base), lambda a, b, cos, sin: (a * cos - b * sin, a * cos + b * sin))


@rotate_by_position.mistake("The two results of each pair have changed places. At position 0 nothing may change: what do you give there?")
def the_two_results_exchanged(x, positions, base=10000.0):
    return paired(x, turns(x, positions, base), lambda a, b, cos, sin: (a * sin + b * cos, a * cos - b * sin))


@rotate_by_position.mistake("The two numbers of each pair are read in the wrong order: a stands in the even columns, which begin with column 0.")
def a_and_b_exchanged(x, positions, base=10000.0):
    return paired(x, turns(x, positions, base), lambda b, a, cos, sin: (a * cos - b * sin, a * sin + b * cos))


@rotate_by_position.mistake("Sine and cosine have changed places. At position 0 nothing may turn: which of them is 1 there?")
def cosine_and_sine_exchanged(x, positions, base=10000.0):
    angles = turns(x, positions, base)
    a, b = x[..., 0::2], x[..., 1::2]
    return interleaved(a * np.sin(angles) - b * np.cos(angles), a * np.cos(angles) + b * np.sin(angles))


@rotate_by_position.mistake("The numbers are multiplied by the cosine alone. A turn needs the other number of the pair as well.")
def sine_part_left_out(x, positions, base=10000.0):
    return x * np.repeat(np.cos(turns(x, positions, base)), 2, axis=-1)


@rotate_by_position.mistake("All pairs turn at the same pace. Each has its own, as the clocks have.")
def every_pair_at_the_same_pace(x, positions, base=10000.0):
    return turned(x, turns(x, positions, base) * 0 + np.asarray(positions)[:, None])


@rotate_by_position.mistake("The exponent is i over d_head, without the 2: the later pairs turn too fast.")
def paces_lack_the_factor_2(x, positions, base=10000.0):
    return turned(x, np.asarray(positions)[:, None] * base ** (-np.arange(even(x.shape[-1]) // 2) / x.shape[-1]))


@rotate_by_position.mistake(
    "`//` divides to whole numbers, and with a minus in front it gives -1 for all pairs but the first. A true division keeps "
    "the fractions."
)
def whole_number_division_in_the_exponent(x, positions, base=10000.0):
    d_head = even(x.shape[-1])
    return turned(x, np.asarray(positions)[:, None] * base ** (-2.0 * np.arange(d_head // 2) // d_head))


@rotate_by_position.mistake(
    "Positions and paces are both in a row, so NumPy pairs them one by one. To combine each with each, the positions "
    "have to stand in a column."
)
def positions_in_a_row(x, positions, base=10000.0):
    angles = positions * paces(x.shape[-1], base)
    a, b, result = x[..., 0::2], x[..., 1::2], np.empty(x.shape)
    result[..., 0::2] = a * np.cos(angles) - b * np.sin(angles)
    result[..., 1::2] = a * np.sin(angles) + b * np.cos(angles)
    return result


@rotate_by_position.mistake("The encoding is added, as in embed_with_positions. Here the numbers are turned, and nothing is added.")
def encoding_added_instead_of_turned(x, positions, base=10000.0):
    return x + encoding(positions, x.shape[-1], base)


@rotate_by_position.mistake(
    "The encoding of positions 0, 1, 2, … is added, as in embed_with_positions. Here the numbers are turned, nothing is "
    "added, and the positions are those that are given."
)
def encoding_of_the_first_positions_added(x, positions, base=10000.0):
    return x + encoding(np.arange(x.shape[-2]), x.shape[-1], base)


@rotate_by_position.mistake("The numbers are multiplied by the encoding of their position. A turn needs both numbers of a pair for each result.")
def encoding_multiplied_in(x, positions, base=10000.0):
    return x * encoding(positions, x.shape[-1], base)


@rotate_by_position.mistake("The positions are squared: they come in twice. A hand that stands twice as far on turns by twice the angle.")
def positions_squared(x, positions, base=10000.0):
    return turned(x, turns(x, positions**2, base))


@rotate_by_position.mistake("Every position is moved by 1. They are given, and go in as they are: at position 0 nothing turns.")
def positions_moved_by_1(x, positions, base=10000.0):
    return turned(x, turns(x, positions + 1, base))


@rotate_by_position.mistake("The sign of the position is lost. A negative position turns the other way.")
def sign_of_the_position_lost(x, positions, base=10000.0):
    return turned(x, turns(x, abs(positions), base))


@rotate_by_position.mistake(
    "Each position counts twice: once as a row of position_angles, and once more as a factor. The paces alone are the row "
    "of position 1."
)
def position_counted_twice(x, positions, base=10000.0):
    return turned(x, turns(x, positions, base) * np.arange(len(positions))[:, None])


@rotate_by_position.mistake("The turned pairs stand on an axis of their own. A reshape at the end puts them back into one row a word.")
def pairs_stacked_but_not_reshaped(x, positions, base=10000.0):
    result = turned(x, turns(x, positions, base))
    return result.reshape(*result.shape[:-1], -1, 2)


@rotate_by_position.mistake("All first numbers stand in front, all second ones behind, on a new axis. Each pair has to be put back side by side.")
def pairs_stacked_on_a_new_first_axis(x, positions, base=10000.0):
    result = turned(x, turns(x, positions, base))
    return np.stack([result[..., 0::2], result[..., 1::2]])


@rotate_by_position.mistake(
    "The right numbers have landed in the wrong places: reshape only cuts an array anew, in reading order, and does not put "
    "the two numbers of a pair side by side."
)
def scrambled_by_reshape(x, positions, base=10000.0):
    result = turned(x, turns(x, positions, base))
    return np.stack([result[..., 0::2], result[..., 1::2]]).reshape(x.shape)


@rotate_by_position.mistake("The result is made of whole numbers, so all fractions are cut off. Make the array without dtype=int.")
def result_of_whole_numbers(x, positions, base=10000.0):
    return turned(x, turns(x, positions, base)).astype(int)


@rotate_by_position.mistake(
    "The angles are laid out for neighbours, but each number is paired with one from the other half. Here a pair is two "
    "neighbours, 2i and 2i + 1, all the way."
)
def halves_turned_by_angles_of_neighbours(x, positions, base=10000.0):
    angles = np.repeat(turns(x, positions, base), 2, axis=-1)
    a, b = np.split(x, 2, axis=-1)
    return x * np.cos(angles) + np.concatenate([-b, a], axis=-1) * np.sin(angles)


@rotate_by_position.mistake(
    "The pairs are neighbours, but the angles are laid out for two halves: the row of angles comes twice, one after the other. "
    "Both numbers of a pair have the same angle."
)
def neighbours_turned_by_angles_of_halves(x, positions, base=10000.0):
    angles = np.tile(turns(x, positions, base), 2)
    return x * np.cos(angles) + interleaved(-x[..., 1::2], x[..., 0::2]) * np.sin(angles)


@rotate_by_position.mistake("The turns are made into degrees. NumPy's sine and cosine take radians, as the paces are: nothing to convert.")
def angles_made_into_degrees(x, positions, base=10000.0):
    return turned(x, np.rad2deg(turns(x, positions, base)))


@rotate_by_position.mistake("The base is 10000 whatever the caller says. Pass the argument `base` on.")
def base_left_at_10000(x, positions, base=10000.0):
    return turned(x, turns(x, positions, 10000.0))


@rotate_by_position.mistake(
    "The positions are cut or rounded to whole numbers, perhaps to serve as row numbers of a table. They may be any numbers, "
    "0.5 too: compute the angles from the positions themselves."
)
def positions_cut_to_whole_numbers(x, positions, base=10000.0):
    return turned(x, turns(x, positions.astype(int), base))


@rotate_by_position.mistake(
    "The given positions serve as row numbers of a table of angles. They may be fractions: compute the angles from "
    "the positions themselves."
)
def positions_used_as_row_numbers(x, positions, base=10000.0):
    table = np.arange(100)[:, None] * paces(x.shape[-1], base)
    return turned(x, table[positions])


@rotate_by_position.mistake(
    "The given positions serve as row numbers of a table with as many rows as words. A position may lie beyond it, or between "
    "two rows: compute the angles from the positions themselves."
)
def positions_looked_up_in_a_short_table(x, positions, base=10000.0):
    return turned(x, (np.arange(x.shape[-2])[:, None] * paces(x.shape[-1], base))[positions])


@rotate_by_position.mistake(
    "d_head is taken from axis 1 of x. That is the last one for a single sentence only: count the axes from the end."
)
def d_head_taken_from_axis_1(x, positions, base=10000.0):
    angles = np.asarray(positions)[:, None] * paces(x.shape[1], base)
    a, b, result = x[..., 0::2], x[..., 1::2], np.empty(x.shape)
    result[..., 0::2] = a * np.cos(angles) - b * np.sin(angles)
    result[..., 1::2] = a * np.sin(angles) + b * np.cos(angles)
    return result


@rotate_by_position.mistake("You unpack two axes from the shape of x. With several sentences there are more in front of them: take those you need from the end.")
def two_axes_unpacked(x, positions, base=10000.0):
    n, d_head = x.shape
    return turned(x, turns(x, positions, base))


@rotate_by_position.mistake(
    "Your loop goes along the first axis. With several sentences it meets whole sentences there, not words."
)
def loop_over_the_first_axis(x, positions, base=10000.0):
    angles, result = turns(x, positions, base), np.zeros(x.shape)
    for m in range(len(x)):
        for i in range(x.shape[-1] // 2):
            cos, sin, a, b = np.cos(angles[m, i]), np.sin(angles[m, i]), x[m, 2 * i], x[m, 2 * i + 1]
            result[m, 2 * i], result[m, 2 * i + 1] = a * cos - b * sin, a * sin + b * cos
    return result


@rotate_by_position.mistake(
    "The positions run along the first axis. With several sentences that is the number of the sentence; words are "
    "on the last axis but one."
)
def positions_along_the_first_axis(x, positions, base=10000.0):
    angles = turns(x, positions, base)
    return turned(x, angles.reshape(len(angles), *[1] * (x.ndim - 2), -1))


@rotate_by_position.mistake(
    "The slices take steps along axis 1, which is the last one for a single sentence only. Count the axes from the end."
)
def pairs_taken_along_axis_1(x, positions, base=10000.0):
    angles = turns(x, positions, base)
    a, b = x[:, 0::2], x[:, 1::2]
    result = np.empty(x.shape)
    result[:, 0::2] = a * np.cos(angles) - b * np.sin(angles)
    result[:, 1::2] = a * np.sin(angles) + b * np.cos(angles)
    return result


@rotate_by_position.mistake(
    "The result is right, but it is written into the array you were given, which its owner still needs. Make a new one."
)
def input_array_overwritten(x, positions, base=10000.0):
    x[...] = turned(x, turns(x, positions, base))
    return x


@rotate_by_position.mistake("You accept an odd d_head and leave its last number without a partner. Raise a ValueError.")
def last_number_of_an_odd_width_left_alone(x, positions, base=10000.0):
    d_head = x.shape[-1]
    whole = d_head // 2 * 2
    angles = np.asarray(positions)[:, None] * base ** (-np.arange(0, whole, 2) / d_head)
    return np.concatenate([turned(x[..., :whole], angles), x[..., whole:]], axis=-1)


@rotate_by_position.mistake("You accept an odd d_head, and its last number comes back as 0. Raise a ValueError.")
def last_number_of_an_odd_width_lost(x, positions, base=10000.0):
    result = last_number_of_an_odd_width_left_alone(x, positions, base)
    result[..., x.shape[-1] // 2 * 2 :] = 0
    return result


@rotate_by_position.mistake(
    "Your code refuses no odd d_head: NumPy merely fails over most of them, where the halves do not fit. Others it lets pass, "
    "such as 1. Raise a ValueError first."
)
def odd_width_refused_by_chance(x, positions, base=10000.0):
    d_head = x.shape[-1]
    angles = np.asarray(positions)[:, None] * base ** (-2 * np.arange(d_head // 2) / d_head)
    return turned(x, angles)


# ----------------------------------------------------- the paces, of shift_matrix and of rotate_by_position


def of_shift_and_rotation(hint):
    """A mistake in the paces, which shows in the shift matrix and in the rotation, under the same name."""

    def register(wrong):
        def in_the_shift(offset, d_model, base=10000.0):
            return blocks(offset * wrong(even(d_model), base), clockwise)

        def in_the_rotation(x, positions, base=10000.0):
            return turned(x, np.asarray(positions)[:, None] * wrong(even(x.shape[-1]), base))

        in_the_shift.__name__ = in_the_rotation.__name__ = wrong.__name__
        shift_matrix.mistake(hint)(in_the_shift)
        rotate_by_position.mistake(hint)(in_the_rotation)
        return wrong

    return register


@of_shift_and_rotation("Each hand turns faster than the one before it, while the later ones are to be slower. Look at the sign of the exponent.")
def paces_that_grow(width, base):
    return 1 / paces(width, base)


@of_shift_and_rotation(
    "The exponents are twice as large as they should be, so the hands slow down too fast. 0, 2, 4, … are the numbers 2i "
    "already: do not double them once more."
)
def exponent_doubled(width, base):
    return paces(width, base) ** 2


@of_shift_and_rotation(
    "Without brackets Python raises base to the power 2 and multiplies afterwards. All that stands up in the formula is the exponent."
)
def brackets_missing_in_the_exponent(width, base):
    return 1 / (base**2 * np.arange(width // 2) / width)


@of_shift_and_rotation(
    "Without brackets Python divides by base to the power 2 alone, and multiplies by the rest. All that stands up in the "
    "formula is the exponent."
)
def no_brackets_at_all(width, base):
    return 1 / base**2 * np.arange(width // 2) / width


@of_shift_and_rotation(
    "Your exponent reaches 1 at the last pair of numbers. In the formula it stops short of 1: look at what i is divided by."
)
def exponent_reaches_1_at_the_last_pair(width, base):
    return base ** -np.linspace(0, 1, width // 2)


@of_shift_and_rotation(
    "A factor of 2π has come in, so the first hand makes a whole turn with each word and always points the same way. The "
    "formula has no π."
)
def whole_turns_instead_of_radians(width, base):
    return 2 * np.pi * paces(width, base)


@of_shift_and_rotation("The angles are taken for degrees. They are in radians already: nothing to convert.")
def angles_taken_for_degrees(width, base):
    return np.deg2rad(paces(width, base))
