"""A small network over edges: how strong they are in eight directions, in each of 4 x 4 cells, then one hidden layer."""

import math
import random

from trainer_sdk import Graph, Tensor

CELLS, WAYS, STRENGTH = 4, 8, 20.0


class Net:
    """`state_dict` and `load_state_dict` are what run.checkpoint, run.resume and run.load ask for."""

    def __init__(self, model=None, classes=2, side=16, hidden=16):
        def layer(rows, columns):
            return [[random.gauss(0, math.sqrt(2 / columns)) for _ in range(columns)] for _ in range(rows)]

        self.side = side
        self.first, self.second = layer(hidden, CELLS * CELLS * WAYS), layer(classes, hidden)
        self.first_bias, self.second_bias = [0.0] * hidden, [0.0] * classes

    def edges(self, grey):
        """side x side grey values to 8 x 4 x 4 strengths: what the convolution and the pool of `graph` compute."""
        side, cell = self.side, self.side // CELLS
        rows = [[0.0] * (side + 2), *([0.0, *grey[y * side : (y + 1) * side], 0.0] for y in range(side)), [0.0] * (side + 2)]
        found = [0.0] * (WAYS * CELLS * CELLS)
        turns = [(math.cos(math.tau * way / WAYS), math.sin(math.tau * way / WAYS), way) for way in range(WAYS // 2)]
        scale = STRENGTH / 4 / cell**2
        for y in range(side):
            above, here, below = rows[y : y + 3]
            for x in range(side):
                right = above[x + 2] + 2 * here[x + 2] + below[x + 2] - above[x] - 2 * here[x] - below[x]
                down = below[x] + 2 * below[x + 1] + below[x + 2] - above[x] - 2 * above[x + 1] - above[x + 2]
                at = y // cell * CELLS + x // cell
                for cos, sin, way in turns:
                    value = (cos * right + sin * down) * scale
                    # An edge of one direction is none of the opposite one.
                    found[(way if value > 0 else way + WAYS // 2) * CELLS * CELLS + at] += abs(value)
        return found

    def hidden(self, edges):
        return [max(0.0, sum(map(float.__mul__, row, edges)) + bias) for row, bias in zip(self.first, self.first_bias)]

    def outputs(self, hidden):
        return [sum(map(float.__mul__, row, hidden)) + bias for row, bias in zip(self.second, self.second_bias)]

    def logits(self, grey):
        return self.outputs(self.hidden(self.edges(grey)))

    def learn(self, edges, label, rate):
        """One step down the slope of the cross-entropy; gives the loss before it."""
        hidden = self.hidden(edges)
        outputs = self.outputs(hidden)
        powers = [math.exp(value - max(outputs)) for value in outputs]
        errors = [power / sum(powers) - (index == label) for index, power in enumerate(powers)]
        back = [sum(error * row[j] for error, row in zip(errors, self.second)) for j in range(len(hidden))]
        for error, row, index in zip(errors, self.second, range(len(errors))):
            row[:] = [weight - rate * error * value for weight, value in zip(row, hidden)]
            self.second_bias[index] -= rate * error
        for index, (value, slope) in enumerate(zip(hidden, back)):
            if value > 0:
                change = rate * slope
                self.first[index] = [weight - change * edge for weight, edge in zip(self.first[index], edges)]
                self.first_bias[index] -= change
        return -math.log(max(errors[label] + 1, 1e-12))

    def graph(self, batch):
        """The same network for ONNX."""
        flat = [(dx * (2 - abs(dy)), dy * (2 - abs(dx))) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        angles = [math.tau * way / WAYS for way in range(WAYS)]
        kernel = [(math.cos(a) * x + math.sin(a) * y) * STRENGTH / 4 for a in angles for x, y in flat]
        cell = [self.side // CELLS] * 2
        graph = Graph("image", [batch, 1, self.side, self.side])
        graph.add("Conv", [Tensor((WAYS, 1, 3, 3), kernel)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        graph.add("Relu").add("AveragePool", kernel_shape=cell, strides=cell).add("Flatten", axis=1)
        graph.add("Gemm", matrix(self.first, self.first_bias), transB=1).add("Relu")
        return graph.add("Gemm", matrix(self.second, self.second_bias), "logits", transB=1)

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        if len(state["second"]) != len(self.second):
            raise ValueError(f"it knows {len(state['second'])} classes")
        vars(self).update(state)


def matrix(rows, bias):
    return [Tensor((len(rows), len(rows[0])), [value for row in rows for value in row]), Tensor((len(bias),), bias)]
