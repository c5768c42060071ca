"""Reading `clouds.yaml`."""

from __future__ import annotations

import pytest
from keystoneauth1.identity import v3

from vks.verda.credentials import CloudConfig, InvalidCredentialsError

PASSWORD = """
clouds:
  verda:
    auth:
      auth_url: http://127.0.0.1:5000/v3
      username: demo
      password: 12345
      project_name: test
      user_domain_name: Default
      project_domain_name: Default
    region_name: tokyo
    identity_api_version: 3
"""


def test_a_password_becomes_a_password_plugin() -> None:
    config = CloudConfig.from_yaml(PASSWORD)
    assert isinstance(config.plugin(), v3.Password)
    assert (config.auth_url, config.region_name) == ("http://127.0.0.1:5000/v3", "tokyo")
    assert config.auth["password"] == "12345"


def test_an_application_credential_is_used_without_a_scope() -> None:
    text = """
clouds:
  prod:
    auth_type: v3applicationcredential
    auth: {auth_url: "http://k/v3", application_credential_id: a, application_credential_secret: s,
           project_name: ignored}
    regions: [{name: osaka}]
"""
    config = CloudConfig.from_yaml(text, "prod")
    assert isinstance(config.plugin(), v3.ApplicationCredential)
    assert config.region_name == "osaka"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not YAML"),
        ("clouds: {}", "no cloud 'verda'"),
        ("[]", "no cloud 'verda'"),
        ("clouds: {verda: {auth: {username: u}}}", "auth_url is missing"),
        ("clouds: {verda: {auth: {auth_url: u}, verify: maybe}}", "verify"),
    ],
)
def test_an_unusable_file_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidCredentialsError, match=said):
        CloudConfig.from_yaml(text)


def test_an_unknown_method_is_refused() -> None:
    text = "clouds: {verda: {auth_type: kerberos, auth: {auth_url: u}}}"
    with pytest.raises(InvalidCredentialsError, match="kerberos"):
        CloudConfig.from_yaml(text).plugin()


def test_the_repr_hides_the_secret() -> None:
    assert "12345" not in repr(CloudConfig.from_yaml(PASSWORD))
