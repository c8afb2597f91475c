PYTHON ?= python3
BIN := .venv/bin
POCKETDEPTH := $(BIN)/pocketdepth
RUN := runs/quickstart
YAML := -c experiments/base.yaml -c experiments/quickstart.yaml
SAMPLE := data/quickstart/streets

.PHONY: quickstart test test-all lint docs arm blender
quickstart: export POCKETDEPTH_DATA := data
quickstart: export WANDB_SILENT := true
quickstart: .venv/ready  ## train on the packaged rendered streets, export, quantize, benchmark
	rm -rf $(RUN)
	$(POCKETDEPTH) fit $(YAML) --trainer.default_root_dir $(RUN)
	$(POCKETDEPTH) test $(YAML) --ckpt_path $(RUN)/checkpoints/best.ckpt --trainer.default_root_dir $(RUN)/test
	$(POCKETDEPTH) export $(RUN)/checkpoints/best.ckpt --output $(RUN)/depth.onnx
	$(POCKETDEPTH) quantize $(RUN)/depth.onnx $(SAMPLE)/train --output $(RUN)/depth-int8.onnx
	$(POCKETDEPTH) benchmark $(RUN)/depth.onnx $(RUN)/depth-int8.onnx --output $(RUN)/benchmark
	$(POCKETDEPTH) predict $(RUN)/depth-int8.onnx $(SAMPLE)/test --output $(RUN)/predictions
	@echo
	@echo "images    $(RUN)/test/panels/ and $(RUN)/predictions/"
	@echo "files     $(RUN)/depth.onnx and $(RUN)/depth-int8.onnx"
	@echo "table     $(RUN)/benchmark/benchmark.txt (.json, .png)"
	@echo "next      your own images:  $(POCKETDEPTH) predict $(RUN)/depth-int8.onnx FOLDER"
	@echo "          your own data:    docs/your-own-data.md"

docs: .venv/docs  ## build the documentation: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.venv/docs: pyproject.toml | .venv/ready
	$(BIN)/pip install -q -e '.[docs]'
	touch $@

# Two processes with one thread each: more threads than cores wait for each other.
test: export OMP_NUM_THREADS := 1
test: .venv/ready  ## run the default tests
	$(BIN)/pytest -n 2 -m "not slow"

test-all: .venv/ready  ## run all tests, including slow ones
	$(BIN)/pytest

lint: .venv/ready  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

arm: .venv/arm/python  ## set up an ARM Python under qemu, for `pocketdepth targets`

.venv/arm/python: deploy/devices/arm.sh | .venv/ready
	PYTHON=$(BIN)/python deploy/devices/arm.sh .venv/arm

blender: .venv/blender/ready  ## install Blender's Python module in an environment of its own, for `pocketdepth data render`

.venv/blender/ready: | .venv/ready
	python3.11 -m venv .venv/blender
	.venv/blender/bin/pip install -q 'bpy>=4.5,<4.6'  # GPL: a program of its own, no part of PocketDepth
	touch $@

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'
	touch $@
