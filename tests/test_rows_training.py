"""A table from start to export, and the export in scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import sslzoo
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.exports.sklearn import EncoderTransformer

pandas = pytest.importorskip("pandas")
N = 200
RNG = np.random.default_rng(0)
FRAME = pandas.DataFrame(
    {
        "age": RNG.integers(20, 70, N),
        "city": np.array(["ulm", "bonn", "koeln"], object)[RNG.integers(0, 3, N)],
        "income": np.where(RNG.uniform(size=N) < 0.1, np.nan, RNG.normal(1000, 200, N)),
        "always": 1,
    }
)
FRAME["left"] = np.where(FRAME.age + 20 * (FRAME.city == "ulm") > 50, "yes", "no")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    FRAME.to_csv(folder / "people.csv", index=False)
    return sslzoo.pretrain(
        "simclr", folder / "people.csv", labels="left", preset="scarf", epochs=2, batch_size=32, units=16, depth=2,
        hidden_dim=16, projection_dim=8, runs=str(folder / "runs"), export_to=str(folder / "exports"),
    )  # fmt: skip


def test_scores_stand_next_to_raw_columns_and_boosting(result):
    columns = result.scores.to_dict()
    assert set(columns) == {"trained", "untrained", "raw columns", "boosting"}
    assert "linear_1" in columns["boosting"] and "knn" not in columns["boosting"] and "knn" in columns["raw columns"]
    gain = next(row for row in result.scores if row.features == "trained" and row.key == "linear_1").gains["boosting"]
    assert np.isfinite(gain.mean) and (result.run / "views.png").is_file()


def test_a_training_on_other_rows_starts_from_an_export_with_its_columns(result, tmp_path):
    FRAME[FRAME.city != "ulm"].to_csv(tmp_path / "fewer.csv", index=False)  # a category less
    places = dict(runs=str(tmp_path / "runs"), export_to=None, evaluate=False)
    again = sslzoo.pretrain(
        "simclr", tmp_path / "fewer.csv", labels="left", preset="scarf", start_from=result.exported, learning_rate=0.0,
        weight_decay=0.0, epochs=1, batch_size=32, hidden_dim=16, projection_dim=8, **places,
    )  # fmt: skip
    first = sslzoo.load_encoder(result.exported)
    assert np.concatenate([w.ravel() for w in again.untrained.get_weights()]) == pytest.approx(
        np.concatenate([w.ravel() for w in first.get_weights()])
    )


def test_the_export_knows_its_columns_and_takes_raw_codes(result):
    facts = read_facts(result.exported)
    columns = facts["encoder"]["schema"]["columns"]
    assert [column["name"] for column in columns] == ["age", "city", "income"] and facts["encoder"]["kind"] == "rows"
    assert columns[1]["categories"] == ["bonn", "koeln", "ulm"] and columns[2]["deviation"] == pytest.approx(
        200, abs=40
    )
    rows = np.array([[30, 2, 1000], [30, 0, np.nan], [np.nan] * 3], "float32")
    features = np.asarray(load_encoder(result.exported)(rows))
    assert features.shape == (3, 16) and np.isfinite(features).all() and not np.allclose(features[0], features[1])


def test_a_pipeline_takes_frames_with_texts(result):
    frame = FRAME.drop(columns="left")
    transformer = EncoderTransformer(result.exported)
    features = transformer.fit_transform(frame)
    codes = {"bonn": 0.0, "koeln": 1.0, "ulm": 2.0}
    rows = np.stack([frame.age, frame.city.map(codes), frame.income], axis=1).astype("float32")
    np.testing.assert_allclose(features, np.asarray(load_encoder(result.exported)(rows)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(EncoderTransformer(result.exported).fit_transform(rows), features, rtol=1e-4, atol=1e-5)
    other = frame[:2].assign(city=["paris", None])
    np.testing.assert_array_equal(*transformer.transform(other.assign(age=30, income=1000)))
    pipeline = make_pipeline(EncoderTransformer(result.exported), LogisticRegression(max_iter=1000))
    assert pipeline.fit(frame, FRAME.left).score(frame, FRAME.left) > 0.6
    assert transformer.feature_names_in_.tolist() == list(frame.columns)
    with pytest.raises(ValueError, match="the table has no column 'city'"):
        EncoderTransformer(result.exported).fit(frame.drop(columns="city"))
    with pytest.raises(ValueError, match="X has 2 columns, the encoder takes 3: 'age', 'city', 'income'"):
        EncoderTransformer(result.exported).fit(rows[:, :2])


def test_an_export_is_judged_on_another_table_by_the_names_of_its_columns(result, tmp_path):
    shuffled = FRAME[["left", "income", "city", "age"]].sample(frac=1, random_state=0)
    shuffled["city"] = shuffled.city.replace("bonn", "aachen")
    shuffled.to_csv(tmp_path / "others.csv", index=False)
    scores = sslzoo.evaluate(result.exported, tmp_path / "others.csv", labels="left", evaluators=("knn",))
    assert {"trained", "untrained", "raw columns"} == set(scores.to_dict())


@pytest.mark.long
def test_unequal_classes_are_compared_by_their_area_too(result, tmp_path):
    FRAME.assign(left=np.where(FRAME.age > 58, "yes", "no")).to_csv(tmp_path / "rare.csv", index=False)
    FRAME.assign(left=np.where(FRAME.age > 44, "yes", "no")).to_csv(tmp_path / "even.csv", index=False)
    rare, even = (
        sslzoo.compare([result.exported] * 2, tmp_path / f"{name}.csv", labels="left") for name in ("rare", "even")
    )
    assert "linear probe, AUC" not in str(even)
    lines = [line for line in str(rare).splitlines() if line.startswith("|")]
    place = lines[0].split(" | ").index("linear probe, AUC")
    area = next(iter(rare.encoders.values())).scores["auc_1"].mean
    cells = lines[2].split(" | ")
    assert cells[place] == f"{area:.3f}" and 0 <= area <= 1
    assert "[" in cells[place + 1] and "%" not in cells[place + 1], "a gain in the unit of its score"
