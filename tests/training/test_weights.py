"""Weights of rows in the loss: a row with the weight 2 counts as two rows."""

import numpy as np
import pytest
import torch

import latente as lt
from latente.rows import Rows


def rows(n=60):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(n, 5))


def small(recipe="autoencoder", **changes):
    how = {"latent_dim": 2, "hidden": (8,), "max_epochs": 3, "effort": "quick", "random_state": 0, "batch_size": 16}
    return lt.VAE(recipe, **{**how, **changes})


def weights_of(vae):
    return torch.cat([value.reshape(-1) for value in vae.model_.state_dict().values()])


def test_whole_weights_are_repeated_rows_in_the_loss():
    """The gradient of the mean loss, without random numbers."""
    learners = []
    small().fit(rows(), observer=lambda training: learners.append(training.learner))
    learner = learners[-1].eval()
    x, repeats = torch.from_numpy(rows(12)).float(), torch.tensor([0, 1, 2, 3] * 3)
    weight = repeats / repeats.double().mean()

    def gradient(batch):
        learner.zero_grad()
        terms = learner(batch)
        terms.total.mean().backward()
        return terms, torch.cat([p.grad.reshape(-1) for p in learner.parameters() if p.grad is not None])

    (weighted, one), (repeated, other) = (
        gradient(Rows(x, weight=weight.float())),
        gradient(Rows(x.repeat_interleave(repeats, 0))),
    )
    for name, values in weighted.named.items():
        assert values.detach().mean().item() == pytest.approx(repeated.named[name].detach().mean().item(), rel=1e-5)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_equal_weights_are_no_weights():
    x = rows()
    assert torch.equal(weights_of(small().fit(x)), weights_of(small().fit(x, sample_weight=np.full(len(x), 3))))


def test_the_loss_is_the_weighted_mean_of_validation_rows():
    x, weight = rows(), np.random.default_rng(1).integers(0, 4, 60)
    vae = small().fit(x, sample_weight=weight)
    held_out = vae.fitted_.at_hand.held_out
    assert float(held_out.weight.mean()) == pytest.approx(1)
    plain = Rows(held_out.x)
    each = -vae.model_.decode(vae.model_.encode(plain).code.unsqueeze(0)).row_log_prob(plain.x)[0].detach()
    assert vae.figures_["loss"] == pytest.approx(float((each * held_out.weight).mean()), rel=1e-5)


def test_heavy_rows_are_learnt_best():
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [rng.normal(size=(300, 1)) @ each + 0.05 * rng.normal(size=(300, 6)) for each in rng.normal(size=(2, 1, 6))]
    )
    one = np.repeat([1.0, 0.0], 300)

    def error(weight):
        vae = small(latent_dim=1, max_epochs=40).fit(x, sample_weight=weight)
        return np.square(vae.reconstruct(x) - x).sum(1) @ one

    assert error(0.05 + one) < 0.7 * error(1.05 - one)


@pytest.mark.parametrize(
    ("weight", "word"),
    [([1.0, 2.0], "shape"), (np.full(60, -1.0), "row 0"), (np.zeros(60), "zero for all"), (["a"] * 60, "numbers")],
)
def test_impossible_weights(weight, word):
    with pytest.raises(lt.DataError, match=word):
        small().fit(rows(), sample_weight=weight)


def test_weights_of_series_and_of_rows_in_pieces_are_refused(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"t": pd.date_range("2024-01-01", periods=60), "x": np.arange(60.0)})
    with pytest.raises(lt.DataError, match="time="):
        lt.VAE(time="t", max_epochs=1).fit(frame, sample_weight=np.arange(60))


def test_weights_come_through_a_pipeline_and_by_routing():
    from sklearn import config_context
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, weight = rows(), np.arange(60) % 3
    wanted = small().fit(StandardScaler().fit_transform(x), sample_weight=weight)
    found = make_pipeline(StandardScaler(), small()).fit(x, vae__sample_weight=weight)
    assert torch.equal(weights_of(found[-1]), weights_of(wanted))
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), small().set_fit_request(sample_weight=True)
        )
        assert torch.equal(weights_of(routed.fit(x, sample_weight=weight)[-1]), weights_of(wanted))


class Told:
    """A callback that keeps what it is told, and stops after some epochs."""

    def __init__(self, most=100):
        self.most, self.tasks = most, []

    def setup(self, estimator, context):
        self.tasks.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.tasks.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, metadata=None, fitted_estimator=None):
        loss = metadata.get("held_out_loss")
        self.tasks.append((context.task_name, loss if fitted_estimator is None else fitted_estimator.figures_["epochs"]))
        return context.task_id + 1 >= self.most


def test_callbacks_of_scikit_learn_see_epochs_and_may_stop():
    pytest.importorskip("sklearn.callback")
    told = Told(2)
    vae = small(max_epochs=5).set_callbacks(told).fit(rows())
    assert [name for name, _ in told.tasks] == ["setup", "training", "training", "fit", "teardown"]
    assert told.tasks[1][1] == vae.history_[0]["held_out_loss"]
    assert told.tasks[3][1] == vae.figures_["epochs"] == 2
    assert vae.figures_["finished"] == "interrupted"


def test_the_progress_bar_of_scikit_learn(capsys):
    callback = pytest.importorskip("sklearn.callback")
    vae = small().set_callbacks(callback.ProgressBar()).fit(rows())
    assert vae.figures_["epochs"] == 3
