"""Messages name the file or the command line that a value came from; files are read with care."""

import textwrap

import pytest
import yaml

from tests.workflows.tiny_study import CONFIG, changed
from workflows.plan.errors import ConfigError
from workflows.plan.origins import read_configuration
from workflows.plan.study import Study


def written(folder, **files):
    for name, config in files.items():
        text = config if isinstance(config, str) else yaml.safe_dump(config)
        (folder / f"{name}.yaml").write_text(textwrap.dedent(text))
    return [folder / f"{name}.yaml" for name in files]


def complaint(files, arguments=()):
    with pytest.raises(ConfigError) as caught:
        told_of_its_source(files, arguments)
    return str(caught.value)


def told_of_its_source(files, arguments):
    configuration = read_configuration(files, arguments)
    try:
        return Study(configuration.config, configuration.file, files[0].parent)
    except ConfigError as error:
        raise configuration.name_source(error) from None


def test_the_command_line_reads_as_a_file_does(tmp_path):
    files = written(tmp_path, a=CONFIG)
    arguments = [
        "training={seeds: 4, batch_size: full}",
        "device=cpu",
        "regularizers={L2W: {weight: 1e-3}, baseline: null}",
        "conditions={1: {network: {batch_norm: true}}}",
    ]
    study = told_of_its_source(files, arguments)
    assert study.config["training"]["seeds"] == 4
    assert study.config["training"]["epochs"] == CONFIG["training"]["epochs"]
    assert study.config["regularizers"]["L2W"] == {"weight": 0.001}
    assert study.config["conditions"] == {"1": {"network": {"batch_norm": True}}}


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("training={seeds: four}", "training.seeds: found 'four', expected a number of seeds"),
        ("training={sedes: 4}", "training.sedes: unknown key; did you mean 'seeds'"),
        ("training={seeds: '4'}", "training.seeds: found '4'"),
        ("training={seeds: 4", "training: found '{seeds: 4', expected a mapping"),
        ("training={seeds: 4, seeds: 5}", "training.seeds: found twice"),
        ("study=2024", "study: found 2024, expected a name"),
        ("network={width: x}", "network.width: found 'x', expected a whole number"),
    ],
)
def test_messages_name_the_command_line(tmp_path, argument, line):
    told = complaint(written(tmp_path, a=CONFIG), [argument])
    assert told.startswith(f"the command line (--config): {line}")


def test_messages_name_the_file_that_states_the_key(tmp_path):
    first = changed({"network.width": "x", "layers": "hidden2"})
    files = written(
        tmp_path, first=first, second={"layers": ["hidden2"], "training": {"epochs": 0}}
    )
    assert complaint(files).startswith(f"{files[1]}: training.epochs: found 0")
    assert complaint(files, ["training={epochs: 1}"]).startswith(f"{files[0]}: network.width: ")


def test_messages_name_the_base(tmp_path):
    _, base, _ = files = written(
        tmp_path,
        other={},
        base=changed({"training.epochs": 0}) | {"study": "base"},
        main={"extends": "base.yaml", "study": "main"},
    )
    assert complaint([files[2]]).startswith(f"{base}: training.epochs: found 0")


def test_a_base_lies_beside_the_file_that_extends_it(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    written(tmp_path, base=CONFIG)
    (main,) = written(tmp_path, main={"extends": "base.yaml", "study": "main"})
    (second,) = written(tmp_path / "elsewhere", second={"training": {"epochs": 1}})
    config = read_configuration([main, second]).config
    assert config["training"] == CONFIG["training"] | {"epochs": 1}


def bomb(levels, template):
    lines = [f"a0: &a0 {template.format('1', '2')}"]
    lines += [
        f"a{n}: &a{n} {template.format(f'*a{n - 1}', f'*a{n - 1}')}" for n in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (bomb(18, "[{}, {}]"), "found more than 50000 values, aliases written out"),
        (bomb(60, "[{}, {}]"), "found more than 20 levels"),
        (bomb(60, "{{x: {}, y: {}}}"), "found more than 20 levels"),
        ("a: &a [*a]", "found more than 20 levels"),
        ("a0: &a0 {x: 1}\n" + "b: {<<: [" + "*a0, " * 9000 + "]}", "more than 2000 keys"),
        ("[" * 5000, "found more than 20 levels"),
        ("# a\n" * 300_000, "found more than 1048576 bytes"),
        ("a: 1\nb: 2\na: 3", "a: found twice, in lines 1 and 3; expected once"),
        ("training:\n  seeds: 2\n  seeds: 3", "seeds: found twice, in lines 2 and 3"),
        ('{"a": 1, "a": 2}', "a: found twice"),
        ("? [a]\n: 1", "line 1: found a list or mapping as a key"),
        ("a: [", "line 1: cannot be read as YAML"),
        ("a: 2020-99-99", "cannot be read as YAML"),
        ("a: !!python/name:os.getcwd", "line 1: cannot be read as YAML"),
        ("- a", "found list, expected a mapping"),
        ("", "found nothing, expected a mapping"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, line):
    (file,) = written(tmp_path, a=text)
    told = complaint([file])
    assert told.startswith(str(file))
    assert line in told
    assert "\n" not in told
    (main,) = written(tmp_path, main="extends: a.yaml")
    assert line in complaint([main])


def test_a_file_in_another_encoding(tmp_path):
    (tmp_path / "a.yaml").write_bytes("study: é".encode("latin-1"))
    told = complaint([tmp_path / "a.yaml"])
    assert told == f"{tmp_path}/a.yaml: not UTF-8 (byte 8 is 0xe9); expected a text file in UTF-8"


def test_merged_and_overridden_keys_are_no_repetition(tmp_path):
    text = """
    a: {inner: &d {<<: {x: 1}, x: 2}}
    b: {<<: *d, y: 3}
    """
    (file,) = written(tmp_path, a=text)
    config = read_configuration([file]).config
    assert config == {"a": {"inner": {"x": 2}}, "b": {"x": 2, "y": 3}}


def test_a_template_is_not_run(tmp_path):
    proof = tmp_path / "ran"
    (tmp_path / "base.yaml").write_text(
        f"__use_yte__: true\nstudy: ?open({str(proof)!r}, 'w').name\n"
    )
    (tmp_path / "study.yaml").write_text("extends: base.yaml\n")
    with pytest.raises(ConfigError, match=r"base\.yaml: __use_yte__: found a template"):
        read_configuration([tmp_path / "study.yaml"])
    assert not proof.exists()
