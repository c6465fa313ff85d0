"""Masks by hand, linear attention as a running sum, and the masked stack against one written as a textbook would."""

import math

import pytest
import torch
from torch.nn import functional as F

from suite.blocks.attention import masks
from suite.blocks.attention.linear import feature, linear_attention
from suite.blocks.models.masked_transformer import masked_transformer
from suite.blocks.models.transformer import transformer
from suite.seeds import Seed

SEEDS = [Seed("test/r1", "verdict", number) for number in range(4)]
WIDTH, HEADS, LENGTH, SYMBOLS = 8, 2, 6, 7


def streams(rows=range(3), name="weights"):
    return [SEEDS[row].stream(name) for row in rows]


def normal(*shape, name="x"):
    return torch.randn(*shape, generator=SEEDS[0].stream(name), dtype=torch.float64)


# --- masks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [0, 1, 3, 5])
def test_the_prefix_mask_is_its_definition(inputs):
    seen = masks.prefix(5, inputs)
    for i in range(5):
        for j in range(5):
            assert bool(seen[i, j]) == (j <= i or (i < inputs and j < inputs))


def test_half_and_half_are_two_triangles():
    seen = masks.half_and_half(4, 4)
    for head in range(4):
        for i in range(4):
            for j in range(4):
                assert bool(seen[head, i, j]) == (j <= i if head < 2 else j >= i)
    with pytest.raises(ValueError, match="half of 3 heads"):
        masks.half_and_half(4, 3)
    with pytest.raises(ValueError, match="from 0 to 4"):
        masks.prefix(4, 5)


def test_a_permuted_triangle_is_a_triangle_elsewhere():
    orders = torch.stack([torch.rand(6, generator=stream).argsort() for stream in streams()])
    seen = masks.permuted(orders)
    for order, mask in zip(orders, seen, strict=True):
        inverse = order.argsort()
        assert torch.equal(mask[inverse][:, inverse], masks.causal(6))
        assert torch.linalg.matrix_rank(mask.double()) == 6


def test_sides_and_the_diagonal_are_everything():
    left, right = masks.sides(5).long()
    assert torch.equal(left + right + torch.eye(5, dtype=torch.int64), masks.full(5).long())
    assert torch.equal(left, right.T)


# --- linear attention -------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_causal_linear_attention_is_a_running_sum(turned):
    """State S_i = sum over j <= i of k_j v_j^T and its denominator, position by position; value and gradient."""
    q, k = (feature(normal(2, 5, 3, name=name)).requires_grad_() for name in "qk")
    v = normal(2, 5, 4, name="v").requires_grad_()
    spin = torch.linalg.qr(normal(5, 3, 3, name="spin"))[0]
    inputs = [x.detach().clone().requires_grad_() for x in (q, k, v)]

    def turn(x):
        return (spin @ x.unsqueeze(-1)).squeeze(-1)

    fast = linear_attention(q, k, v, masks.causal(5), (turn(q), turn(k)) if turned else None)
    a, b, c = inputs
    state, below, rows = torch.zeros(2, 3, 4).double(), torch.zeros(2, 3).double(), []
    for i in range(5):
        key, query = (turn(b)[:, i], turn(a)[:, i]) if turned else (b[:, i], a[:, i])
        state = state + key.unsqueeze(-1) * c[:, i].unsqueeze(-2)
        below = below + b[:, i]
        rows.append((query.unsqueeze(-2) @ state).squeeze(-2) / (a[:, i] * below).sum(-1, keepdim=True))
    slow = torch.stack(rows, 1)
    torch.testing.assert_close(fast, slow)
    weight = normal(2, 5, 4, name="gradient")
    (fast * weight).sum().backward()
    (slow * weight).sum().backward()
    for one, other in zip((q, k, v), inputs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


# --- the model --------------------------------------------------------------------------------------


def naive_rotate(x):
    """x [B, T, size]: pairs turned by t base^(-2j / size)."""
    out = torch.empty_like(x)
    for t in range(x.shape[1]):
        for j in range(x.shape[2] // 2):
            angle = t * 10_000.0 ** (-2 * j / x.shape[2])
            a, b = x[:, t, 2 * j], x[:, t, 2 * j + 1]
            out[:, t, 2 * j] = a * math.cos(angle) - b * math.sin(angle)
            out[:, t, 2 * j + 1] = a * math.sin(angle) + b * math.cos(angle)
    return out


def naive(stack, row, tokens, seen, *, rope, split, kind):
    """One model on tokens [B, T], head by head and position by position."""

    def apply(layer, x):
        if split is None:
            return x @ layer.weight[row]
        return torch.stack(
            [x[:, t] @ (layer.front if t < split else layer.back).weight[row] for t in range(x.shape[1])], 1
        )

    def norm(x):
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()

    x, size, length = stack.embedding.weight[row][tokens], WIDTH // HEADS, tokens.shape[1]
    for block, mask in zip(stack.blocks, seen, strict=True):
        q, k, v = apply(block.query_key_value, norm(x)).chunk(3, -1)
        heads = []
        for h in range(HEADS):
            own = mask if mask.ndim == 2 else mask[h] if mask.ndim == 3 else mask[row, h]
            cut = slice(h * size, (h + 1) * size)
            a, b, c = q[..., cut], k[..., cut], v[..., cut]
            if kind == "linear":
                a, b = feature(a), feature(b)
            c_, plain = c, a @ b.mT
            if rope:
                a, b = naive_rotate(a), naive_rotate(b)
            score = a @ b.mT
            if kind == "linear":
                heads.append((score * own) @ c_ / (plain * own).sum(-1, keepdim=True))
                continue
            score = score / math.sqrt(size)
            if block.lean is not None:
                for i in range(length):
                    for j in range(length):
                        if i != j:
                            score[:, i, j] = score[:, i, j] + block.lean[row, h, 0 if j < i else 1]
            heads.append(score.masked_fill(~own, -math.inf).softmax(-1) @ c_)
        x = x + apply(block.output, torch.cat(heads, -1))
        x = x + apply(block.narrow, F.gelu(apply(block.widen, norm(x))))
    return norm(x) @ stack.head.weight[row]


def orders():
    return torch.stack([torch.rand(HEADS, LENGTH, generator=s).argsort(-1) for s in streams(name="orders")])


CASES = {
    "causal": {"seen": [masks.causal(LENGTH)] * 2},
    "prefix, separate weights": {"seen": [masks.prefix(LENGTH, 3)] * 2, "split": 3},
    "heads, no positions": {"seen": [masks.half_and_half(LENGTH, HEADS)] * 2, "rope": False},
    "layers": {"seen": [masks.causal(LENGTH), masks.causal(LENGTH).mT]},
    "permuted": {"seen": [masks.permuted(orders())] * 2},
    "soft": {"seen": [masks.full(LENGTH)] * 2, "lean": torch.tensor([[0.0, -3.0], [-3.0, 0.0]])},
    "soft and causal": {"seen": [masks.causal(LENGTH)] * 2, "lean": torch.ones(2, 2)},
    "linear": {"seen": [masks.full(LENGTH)] * 2, "kind": "linear"},
    "linear, no positions": {"seen": [masks.causal(LENGTH)] * 2, "kind": "linear", "rope": False},
    "narrow feed-forward": {"seen": [masks.full(LENGTH)] * 2, "hidden": 5},
}


def build(rows=range(3), *, seen, symbols=SYMBOLS, width=WIDTH, heads=HEADS, **options):
    seen = [mask[list(rows)] if mask.ndim == 4 else mask for mask in seen]
    return masked_transformer(symbols + 1, symbols, width, heads, streams(rows), seen, **options)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("last", [None, 4, 1])
def test_a_masked_transformer_equals_its_naive_twin(case, last):
    """In value and gradient, at all positions or the last few."""
    options = CASES[case]
    stack = build(**options).double()
    for parameter in stack.parameters():
        parameter.data.add_(0.1 * normal(*parameter.shape, name="jitter"))  # halves that are no longer equal
    tokens = torch.randint(SYMBOLS + 1, (3, 2, LENGTH), generator=SEEDS[0].stream("tokens"))
    logits = stack(tokens, last)
    weight = normal(*logits.shape, name="gradient")
    (logits * weight).sum().backward()
    found = {name: None if p.grad is None else p.grad.clone() for name, p in stack.named_parameters()}
    stack.zero_grad()
    for row in range(3):
        plain = {"rope": True, "split": None, "kind": "softmax"} | {
            k: v for k, v in options.items() if k in ("rope", "split", "kind")
        }
        expected = naive(stack, row, tokens[row], options["seen"], **plain)[:, -(last or LENGTH) :]
        torch.testing.assert_close(logits[row], expected, rtol=2e-6, atol=2e-6)  # angles are kept in float32
        (expected * weight[row]).sum().backward()
    for name, parameter in stack.named_parameters():
        mine = torch.zeros_like(parameter) if found[name] is None else found[name]
        theirs = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(mine, theirs, rtol=2e-5, atol=2e-5)


def test_under_the_causal_mask_it_is_the_causal_transformer():
    tokens = torch.randint(SYMBOLS, (3, 2, LENGTH), generator=SEEDS[0].stream("tokens"))
    known = transformer(SYMBOLS, WIDTH, 2, HEADS, LENGTH, streams(), gain=False)
    stack = masked_transformer(SYMBOLS, SYMBOLS, WIDTH, HEADS, streams(), [masks.causal(LENGTH)] * 2)
    torch.testing.assert_close(stack(tokens), known(tokens))


@pytest.mark.parametrize("case", CASES)
def test_a_model_ignores_its_company(case):
    tokens = torch.randint(SYMBOLS, (3, 2, LENGTH), generator=SEEDS[0].stream("tokens"))
    together = build(**CASES[case])(tokens)
    alone = build([1], **CASES[case])(tokens[1:2])
    torch.testing.assert_close(alone[0], together[1])


LONG, SOFT = 48, torch.tensor([[0.0, -3.0], [0.0, -3.0], [-3.0, 0.0], [-3.0, 0.0]])
AS_PAGES_HAVE_IT = {
    "full": {"seen": [masks.full(LONG)] * 2},
    "heads": {"seen": [masks.half_and_half(LONG, 4)] * 2},
    "prefix, separate weights": {"seen": [masks.prefix(LONG, 33)] * 2, "split": 33},
    "permuted": {"seen": [masks.permuted(torch.arange(LONG).expand(4, 4, -1).flip(-1))] * 2},
    "soft": {"seen": [masks.full(LONG)] * 2, "lean": SOFT},
    "linear": {"seen": [masks.causal(LONG)] * 2, "kind": "linear"},
}


@pytest.mark.parametrize("rows", [[1], [1, 2], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("case", AS_PAGES_HAVE_IT)
def test_at_the_sizes_of_pages_company_changes_no_bit(case, rows):
    """In value and gradient, so that a trial is the same whatever stack it was measured in."""
    tokens = torch.randint(96, (4, 12, LONG), generator=SEEDS[0].stream("tokens"))
    weight = normal(4, 12, LONG, 96, name="gradient").float()

    def outcome(rows):
        stack = build(rows, symbols=96, width=32, heads=4, **AS_PAGES_HAVE_IT[case])
        for name, parameter in stack.named_parameters():  # as after some training
            jitter = [torch.randn(parameter.shape[1:], generator=stream) for stream in streams(rows, name)]
            parameter.data.add_(torch.stack(jitter), alpha=0.1)
        logits = stack(tokens[rows])
        (logits * weight[rows]).sum().backward()
        return {"logits": logits.detach(), **{name: p.grad for name, p in stack.named_parameters()}}

    some, everyone = outcome(rows), outcome([0, 1, 2, 3])
    for name, numbers in everyone.items():
        assert torch.equal(some[name], numbers[rows]), name


def test_separate_weights_start_equal_and_are_twice_as_many():
    shared, separate = build(seen=[masks.causal(LENGTH)] * 2), build(seen=[masks.causal(LENGTH)] * 2, split=3)
    tokens = torch.randint(SYMBOLS, (3, 2, LENGTH), generator=SEEDS[0].stream("tokens"))
    torch.testing.assert_close(separate(tokens), shared(tokens))
    inside = [sum(p.numel() for p in model.blocks.parameters()) for model in (shared, separate)]
    assert inside[1] == 2 * inside[0]


def test_what_does_not_go_together_is_said():
    with pytest.raises(ValueError, match="softmax"):
        build(seen=[masks.full(LENGTH)], kind="hard")
    with pytest.raises(ValueError, match="has none"):
        build(seen=[masks.full(LENGTH)], kind="linear", lean=torch.zeros(2, 2))
