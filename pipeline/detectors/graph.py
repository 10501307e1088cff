"""What is changed in a model's graph before OpenVINO compiles it, so that the same answers cost
less. Each of these changes a model of `openvino.Model` in place."""

from __future__ import annotations

from functools import reduce
from typing import Any

CHANNELS = 1
"""The axis of the channels in (batch, channels, height, width)."""


def channels_of(value: Any) -> int:
    """How many channels a value (batch, channels, ...) has; 0 if that is not known."""
    shape = value.get_partial_shape()
    known = shape.rank.is_static and len(shape) > CHANNELS and shape[CHANNELS].is_static
    return shape[CHANNELS].get_length() if known else 0


def nearest(node: Any, kind: str, *, before: str = "") -> Any:
    """The first operation of a kind among this one and those that its inputs come from; not among
    those that come before one of another kind, if one is given."""
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop(0)
        if node.get_type_name() == kind:
            return node
        if node.get_type_name() != before and node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += [value.get_node() for value in node.input_values()]
    return None


def feed_with_bytes(model: Any) -> None:
    """Give a model an input (1, height, width, 3) uint8 instead of floats 0..1, planes apart.

    As OpenVINO's PrePostProcessor would, which divides by one number for each channel: OpenVINO
    (2026.4) then has the planes taken apart and put together again, as its convolution wants them
    together. With one number for all it leaves them as they are: 0.7 ms less of 27 (640x480).
    """
    import openvino as ov
    from openvino import opset13

    floats = model.input().get_node()
    batch, channels, height, width = floats.get_partial_shape()
    bytes_ = opset13.parameter(ov.PartialShape([batch, height, width, channels]), ov.Type.u8)
    bytes_.set_friendly_name(floats.get_friendly_name())
    bytes_.output(0).set_names(floats.output(0).get_names())
    kind = floats.get_element_type()
    scale = opset13.constant(1 / 255, dtype=kind)
    scaled = opset13.multiply(opset13.convert(bytes_, kind.get_type_name()), scale)
    planes = opset13.transpose(scaled, opset13.constant([0, 3, 1, 2]))
    for target in floats.output(0).get_target_inputs():
        target.replace_source_output(planes.output(0))
    model.remove_parameter(floats)
    model.add_parameters([bytes_])
    model.validate_nodes_and_infer_types()


def name_outputs(model: Any) -> None:
    """Name a model's outputs by their numbers.

    OpenVINO (2026.4) gives new ones a number that counts on in a process, and looks for a compiled
    model by such names, too: what a process loads a second time would never be found again.
    """
    for number, output in enumerate(model.outputs):
        output.get_tensor().set_names({f"output {number}"})


def convolve_before_enlarging(model: Any) -> int:
    """Convolve maps before they are enlarged, not after, where that gives the same; how often.

    A YOLO's neck repeats each cell of a small map to the size of a larger one, lays both on each
    other, and convolves that cell by cell. The sum over the channels can be parted, and a cell is
    convolved once instead of once for each of its copies: 0.8 ms less of 27 (YOLO11n, 640x480).
    Sums are rounded in another order: scores differ by up to 4e-6.
    """
    from openvino import opset13

    done = 0
    for convolution in model.get_ordered_ops():
        maps = _laid_on_each_other(convolution)
        if not any(map(_is_enlarged, maps)):
            continue
        weights = opset13.variadic_split(
            convolution.input_value(1), CHANNELS, [channels_of(value) for value in maps]
        )
        parts = []
        for number, value in enumerate(maps):
            enlarge = value.get_node() if _is_enlarged(value) else None
            before = value if enlarge is None else enlarge.input_value(0)
            part = opset13.convolution(before, weights.output(number), *PLAIN.values())
            if enlarge is None:
                parts.append(part.output(0))
            else:
                enlarge.input(0).replace_source_output(part.output(0))
                enlarge.validate_and_infer_types()
                parts.append(enlarge.output(0))
        both = reduce(lambda one, other: opset13.add(one, other).output(0), parts)
        convolution.output(0).replace(both)
        done += 1
    model.validate_nodes_and_infer_types()
    return done


PLAIN = {"strides": [1, 1], "pads_begin": [0, 0], "pads_end": [0, 0], "dilations": [1, 1]}
"""A convolution of each cell for itself, where the weights are of one cell."""


def _laid_on_each_other(convolution: Any) -> list[Any]:
    """The maps that a convolution sees, if it is one of single cells, and all that sees them laid
    on each other."""
    if convolution.get_type_name() != "Convolution":
        return []
    attributes = convolution.get_attributes()
    plain = all(attributes[name] == value for name, value in PLAIN.items())
    both = convolution.input_value(0)
    if not plain or both.get_node().get_type_name() != "Concat" or not _seen_once(both):
        return []
    maps: list[Any] = both.get_node().input_values()
    weights = convolution.input_value(1).get_partial_shape()
    known = all(channels_of(value) for value in maps)
    cells = weights.is_static and list(weights.to_shape())[2:] == [1, 1]
    return maps if known and cells and both.get_node().get_attributes()["axis"] == CHANNELS else []


def _is_enlarged(value: Any) -> bool:
    """Whether a map repeats the cells of a smaller one, and no more than one operation sees it."""
    node = value.get_node()
    if node.get_type_name() != "Interpolate" or node.get_input_size() != 2:
        return False
    attributes, scales = node.get_attributes(), node.input_value(1).get_node()
    repeats = attributes["mode"] == "nearest" and attributes["shape_calculation_mode"] == "scales"
    padded = any(attributes["pads_begin"]) or any(attributes["pads_end"])
    if not repeats or padded or scales.get_type_name() != "Constant" or not _seen_once(value):
        return False
    batch, channels, *sides = scales.get_data().tolist()
    return batch == channels == 1 and all(side >= 1 for side in sides)


def _seen_once(value: Any) -> bool:
    return len(value.get_target_inputs()) == 1
