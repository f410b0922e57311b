"""The installed SDK has everything that the code uses, in one list."""

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import tinker
from tinker import types

from scheduler.cli.doctor import SUPPORTED

ROOT = Path(__file__).parents[3]
FILES = [*sorted((ROOT / "worker").rglob("*.py")), ROOT / "tinker_offline" / "wire.py"]
HANDLES = ("_client", "client", "clients.rest", "clients.admin")  # as our code names objects of the SDK

NAMES = """
tinker.APIConnectionError tinker.APIError tinker.APIResponseValidationError tinker.APIStatusError tinker.AdamParams
tinker.AdminClient tinker.AuthenticationError tinker.BadRequestError tinker.BillingError tinker.ConflictError
tinker.Datum tinker.InternalServerError tinker.ModelInput tinker.ModelInput.from_ints tinker.NotFoundError
tinker.PermissionDeniedError tinker.RateLimitError tinker.RequestFailedError tinker.RestClient tinker.SamplingClient
tinker.SamplingParams tinker.ServiceClient tinker.TensorData tinker.TensorData.from_numpy tinker.TinkerError
tinker.TrainingClient tinker.UnprocessableEntityError tinker.__version__ tinker._base_client
tinker._base_client.AsyncAPIClient
tinker.lib.api_future_impl tinker.lib.api_future_impl.QueueState tinker.lib.api_future_impl.QueueStateObserver
tinker.lib.client_connection_pool_type.ClientConnectionPoolType
tinker.lib.internal_client_holder.InternalClientHolder tinker.lib.public_interfaces.sampling_client.SamplingClient
tinker.lib.public_interfaces.service_client tinker.lib.public_interfaces.training_client
tinker.lib.retry_handler.RetryConfig tinker.lib.retryable_exception.RetryableException
tinker.proto.tinker_public_pb2 tinker.types tinker.types.BillingUsageResponse tinker.types.Checkpoint
tinker.types.CheckpointBillingEvent
tinker.types.GetInfoResponse tinker.types.GetSamplerResponse
tinker.types.SamplingPrefillBillingEvent tinker.types.SamplingSampleBillingEvent tinker.types.SessionSearchRequest
tinker.types.SessionSearchResponse tinker.types.SessionSummary tinker.types.StorageBillingEvent
"""

# What is called, and what is passed: an empty name is passed by position.
CALLS: dict[str, tuple[Any, str]] = {
    "forward_backward": (tinker.TrainingClient, "data loss_fn loss_fn_config"),
    "forward": (tinker.TrainingClient, "data loss_fn"),
    "optim_step": (tinker.TrainingClient, "optim_params"),
    "save_state": (tinker.TrainingClient, "name ttl_seconds overwrite user_metadata"),
    "save_weights_external": (tinker.TrainingClient, "name ttl_seconds"),
    "save_weights_for_sampler": (tinker.TrainingClient, "name ttl_seconds"),
    "save_weights_and_get_sampling_client": (tinker.TrainingClient, "retry_config"),
    "create_sampling_client": (tinker.TrainingClient, "model_path retry_config"),
    "create_lora_training_client": (
        tinker.ServiceClient,
        "base_model rank seed train_mlp train_attn train_unembed user_metadata",
    ),
    "create_training_client_from_state": (tinker.ServiceClient, "path user_metadata"),
    "create_training_client_from_state_with_optimizer": (tinker.ServiceClient, "path user_metadata"),
    "close": (tinker.ServiceClient, "status"),
    "sample": (tinker.SamplingClient, "prompt num_samples sampling_params include_prompt_logprobs"),
    "get_server_capabilities": (tinker.RestClient, ""),
    "list_user_checkpoints": (tinker.RestClient, "limit offset"),
    "get_weights_info_by_tinker_path": (tinker.RestClient, "tinker_path"),
    "get_external_weights_urls": (tinker.RestClient, "tinker_path"),
    "get_session": (tinker.RestClient, "session_id"),
    "list_checkpoints": (tinker.RestClient, "training_run_id"),
    "delete_checkpoint_from_tinker_path": (tinker.RestClient, "tinker_path"),
    "set_checkpoint_ttl_from_tinker_path": (tinker.RestClient, "tinker_path ttl_seconds"),
    "get_billing_usage": (tinker.AdminClient, "starting_on ending_before"),
}
BESIDE = {"model_id", "holder", "post"}  # attributes, and what `worker/sdk/rest.py` sends by itself
BESIDE |= {"_sampling_session_id"}  # and `worker/sdk/handles.py`

FIELDS: dict[Any, str] = {
    types.ForwardBackwardOutput: "loss_fn_outputs metrics",
    types.SampleResponse: "sequences prompt_logprobs_np prompt_cache_hit_tokens",
    types.SampledSequence: "tokens_np logprobs_np stop_reason",
    types.SaveWeightsResponse: "path",
    types.SaveWeightsForSamplerResponse: "path",
    types.SaveWeightsExternalResponse: "path",
    types.ExternalWeightsUrlsResponse: "urls",
    types.Checkpoint: "tinker_path",
    types.CheckpointsListResponse: "checkpoints",
    types.GetSessionResponse: "training_run_ids",
    types.SessionSummary: "session_id status created_at",
    types.SessionSearchResponse: "sessions next_cursor",
    types.SessionSearchRequest: "user_metadata cursor",
    types.BillingUsageResponse: "data sessions",
    types.SamplingPrefillBillingEvent: "token_count cached",
    types.SamplingSampleBillingEvent: "token_count",
    tinker.AdamParams: "learning_rate beta1 beta2 eps weight_decay grad_clip_norm",
    tinker.SamplingParams: "max_tokens stop temperature seed",
    tinker.Datum: "model_input loss_fn_inputs",
}


def nodes() -> Iterator[ast.AST]:
    for path in FILES:
        yield from ast.walk(ast.parse(path.read_text()))


def dotted(node: ast.AST) -> str:
    """`clients.rest`, `tinker.Datum`; empty where it is no chain of names. `self` is left out."""
    if isinstance(node, ast.Name):
        return node.id
    if not isinstance(node, ast.Attribute):
        return ""
    before = dotted(node.value)
    return node.attr if before == "self" else f"{before}.{node.attr}" if before else ""


def imported() -> Iterator[str]:
    for node in nodes():
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "tinker":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and (name := dotted(node)).startswith(("tinker.", "types.")):
            yield name if name.startswith("tinker.") else f"tinker.{name}"


def called() -> set[str]:
    return {node.attr for node in nodes() if isinstance(node, ast.Attribute) and dotted(node.value) in HANDLES} - {
        "future",
        "result",
    }


def found(name: str) -> Any:
    owner, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(owner), last)
    except ModuleNotFoundError:  # a class
        return getattr(found(owner), last)
    except AttributeError:
        return importlib.import_module(name)


def test_the_list_is_what_the_code_imports_and_the_sdk_has_each() -> None:
    assert set(imported()) == set(NAMES.split())
    assert all(found(name) is not None for name in NAMES.split())


def test_the_list_is_what_the_code_calls() -> None:
    assert called() == CALLS.keys() | BESIDE


@pytest.mark.parametrize("call", CALLS)
def test_each_call_takes_what_is_passed_and_needs_nothing_else(call: str) -> None:
    owner, passed = CALLS[call]
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(getattr(owner, call)).parameters.items()
        if name != "self"
    }
    assert set(passed.split()) <= parameters.keys()
    needed = {
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    assert needed <= set(passed.split())


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_each_answer_has_the_fields_that_are_read(kind: Any) -> None:
    fields = set(getattr(kind, "model_fields", ()))
    fields |= {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    assert set(FIELDS[kind].split()) <= fields


def test_one_range_of_versions_is_pinned_documented_and_installed() -> None:
    pinned = re.search(r'"tinker(>=[\d.]+,<[\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert pinned is not None
    assert f"`{pinned[1]}`" in (ROOT / "docs" / "reference" / "service.md").read_text()
    least, below = (tuple(map(int, number.split("."))) for number in re.findall(r"[\d.]+", pinned[1]))
    assert (least, below) == SUPPORTED
    assert least <= tuple(map(int, version("tinker").split(".")[:2])) < below
