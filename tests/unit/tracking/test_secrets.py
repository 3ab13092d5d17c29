"""Secrets go, everything else stays."""

import subprocess

import pytest

from descent.tracking.secrets import is_secret, mask, mask_file, mask_values

SECRET = ["password", "DB_PASSWORD", "passwd", "api_key", "apiKey", "APIKEY", "aws_secret_access_key", "GITHUB_TOKEN"]
SECRET += ["hf.token", "accessKey", "client_secret", "credentials", "server.credential", "Authorization"]
INNOCENT = ["tokens", "max_tokens", "model.tokens", "dataset.tokenizer", "TOKENIZERS_PARALLELISM", "token_dim", "key"]
INNOCENT += ["keyboard", "lr", "monkey", "secretary", "model.hidden", "passes", "PWD"]


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_name_is_known(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", INNOCENT)
def test_an_innocent_name_survives(name):
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://ann:hunter2@host:5000/x", "http://***@host:5000/x"),
        ("postgresql+psycopg://u:p%40ss@db/m", "postgresql+psycopg://***@db/m"),
        ("https://ghp_abc@github.com/a/b", "https://***@github.com/a/b"),
        ("https://host/?token=abc&page=2", "https://host/?token=***&page=2"),
        ("tracking.uri=http://h/?api_key=abc", "tracking.uri=http://h/?api_key=***"),
        ("password: hunter2\nlr: 0.1", "password: ***\nlr: 0.1"),
        ('{"password": "hun ter2", "lr": 1}', '{"password": "***", "lr": 1}'),
        ("+db.passwd='a b' lr=1", "+db.passwd='***' lr=1"),
        ("-m password=a,b", "-m password=***"),
        ("--password=abc --lr=1", "--password=*** --lr=1"),
        ("a=b=c&secret=x", "a=b=c&secret=***"),
        ("f(token=ab12-cd34,lr=0.1)", "f(token=***,lr=0.1)"),
        ("hf_token: hf_AbC123dEf456", "hf_token: ***"),
        ("token = '0123456789abcdef'", "token = '***'"),
        ("access_token=abc", "access_token=***"),
        ("auth_token: 'x'", "auth_token: '***'"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: *** ***"),
        ("export OPENAI_API_KEY=sk-123", "export OPENAI_API_KEY=***"),
    ],
)
def test_text_is_masked(text, masked):
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=5",
        "model.tokens=5 dataset.tokenizer=bpe",
        "git@github.com:a/b.git",
        "https://host/path?x=1",
        "def f(token: str, password=None):",
        "password = getpass('x')",
        "token = os.environ['T']",
        "api_key=api_key",
        "password: ${oc.env:P}",
        "a: b: c = d",
        "eos_token = 50256",
        "pad_token: 0",
        "self.token = token_id + 1",
        "eos_token: '<|endoftext|>'",
        "unk_token='<extra_id_10>'",
        "mask_token = special_tokens_12.mask",
        "f(token=token,next_token=logits)",
        "scale_token: 1.2345e-05",
        "Basic training, Bearer tokenization",
        "password = '${oc.env:P}'",
    ],
)
def test_innocent_text_stays(text):
    assert mask(text) == text


def test_values_of_secret_variables_go_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "s3cr3t/value")
    assert mask("before s3cr3t/value after s3cr3t%2Fvalue") == "before *** after ***"


def test_short_values_of_secret_variables_are_left(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "adam")
    assert mask("optimizer=adam") == "optimizer=adam"


def test_mappings_are_masked_by_key_and_by_value():
    given = {
        "lr": 0.1,
        "server": {"token": "ab12-cd34", "uri": "http://a:b@h"},
        "list": ["http://a:b@h"],
        "password": None,
    }
    expected = {
        "lr": 0.1,
        "server": {"token": "***", "uri": "http://***@h"},
        "list": ["http://***@h"],
        "password": None,
    }
    assert mask_values(given) == expected


def test_masking_twice_changes_nothing():
    once = mask("password=hunter2 http://a:b@h 'token': 'x y'")
    assert mask(once) == once


@pytest.mark.parametrize("text", ["x" * 200_000, "a-" * 100_000, "a://" * 50_000])
def test_long_innocent_text_stays_as_it_is(text):
    assert mask(text) == text  # and comes to an end: a pattern that backtracks would need hours


# A patch: code counts in it


def git(folder, *arguments: str, given: str | None = None) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=True).stdout


def test_a_masked_patch_of_ordinary_code_still_applies(tmp_path):
    source = tmp_path / "model.py"
    source.write_text("EOS_TOKEN = 50256\nself.token = token_id + 1\nwidth = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    changed = "EOS_TOKEN = 50257\nself.token = token_id + 2\nwidth = 2\n"
    source.write_text(changed)
    patch = mask_file(git(tmp_path, "diff"), "diff.patch")
    git(tmp_path, "checkout", "-q", ".")
    git(tmp_path, "apply", given=patch)
    assert source.read_text() == changed


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ('+password = "hunter2"', '+password = "***"'),
        ("-url = http://ann:hunter2@host/x", "-url = http://***@host/x"),
        (" eos_token = 50256", " eos_token = 50256"),
        ("+    pad_token: 0", "+    pad_token: 0"),
        ("--- a/password: x", "--- a/password: x"),
    ],
)
def test_a_line_of_a_patch(line, masked):
    assert mask_file(line, "diff.patch") == masked


def test_other_files_are_masked_like_text():
    assert mask_file("password: hunter2", "config.yaml") == mask("password: hunter2") == "password: ***"
