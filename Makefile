# `make help` lists what there is. Everything is installed below this folder: .venv, .sandbox,
# node_modules.

CDK = node_modules/.bin/cdk
RUNNING := .sandbox/running-$(shell echo $$PPID)

# Without these, jsii prints a warning about Node's age at every command. The last takes version numbers.
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION = 1
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION = 1
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20,21,22,23,24,25
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONPATH = lambdas
# Containers often set it. Then every process would compile aws-cdk-lib again, for seconds.
export PYTHONDONTWRITEBYTECODE =

# Built first where [live] is on, for an environment may host it. If not, synth says: make web.
of_live = $(if $(shell sed -n '/^\[live\]/,/^\[/p' $(wildcard infra/environments/$(1).toml) \
	$(filter %.toml,$(wildcard $(1))) /dev/null | grep -E '^mode = "(manage|adopt)"'),web/dist/index.html)
NEEDS_NODE = node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null || \
	{ echo 'This needs Node.js 22 or newer, with npm (20 works, with a warning).'; exit 1; }
# No bytecode at installation: Python writes it at the first import, and only for what is imported.
LOCKED = -qq --require-hashes --only-binary :all: --no-deps --no-compile
LOCK = UV_CUSTOM_COMPILE_COMMAND='make lock' .venv/bin/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-annotate

.PHONY: help demo sandbox test test-scale check lint synth doctor diff deploy verify hold erase erase-restored rollback audit drift map-flows stop-all resume-all who-read destroy load revoke-webhook-secret cost named can-ask flows wheel release released sbom docs lock contract benchmark clean
.DEFAULT_GOAL := help

# ENV names a file of infra/environments. Synth reaches no AWS account, so its default is the sandbox.
synth: ENV ?= sandbox

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(RUNNING)-demo ## Play calls through the deployed stacks on this machine; JSON=path also writes the figures; LIVE=1 lets calls go on, for the live page

sandbox: $(RUNNING)-sandbox ## Deploy the stacks on this machine, leave them running, and show how to talk to them

# Each run is the recipe of a file of its own. If make is interrupted, it deletes that file. So the
# program learns of a signal that only make gets.
$(RUNNING)-demo: .venv/.installed node_modules/.installed .sandbox/.installed web/dist/index.html
	@exec .venv/bin/python -m $(if $(LIVE),sandbox,sandbox.demo) --make-target '$@' $(if $(JSON),--json '$(JSON)')

$(RUNNING)-sandbox: .venv/.installed node_modules/.installed .sandbox/.installed web/dist/index.html
	@exec .venv/bin/python -m sandbox --make-target '$@'

# As many tests at a time. One more than the cores, as tests wait, too. Each takes up to 1.5 GB.
PROCESSES ?= 3

test: lint .sandbox/.installed node_modules/.installed web/dist/index.html ## Lint, and run all tests but test-scale; one of them checks the types
	@.venv/bin/pytest --numprocesses $(PROCESSES) --dist loadgroup --no-loadscope-reorder

test-scale: .venv/.installed node_modules/.installed .sandbox/.installed ## Run the tests that make test leaves out: many calls, and long random runs
	@.venv/bin/pytest tests/scale

check: lint ## Lint and check the types, without running tests
	@.venv/bin/mypy

lint: .venv/.installed
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/zizmor --offline --quiet --no-progress --persona auditor .github/workflows
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

synth: .venv/.installed node_modules/.installed $(call of_live,$(ENV)) ## Write an environment's templates to cdk.out: make synth ENV=prod
	@$(CDK) synth --quiet -c environment='$(ENV)'

doctor: named .venv/.installed ## Check the account before a deployment, read-only: make doctor ENV=prod; add CALLS=200, the most calls at a time; ASAPP=off asks ASAPP nothing
	@.venv/bin/python -m tools.doctor '$(ENV)' $(if $(CALLS),--calls '$(CALLS)') $(if $(filter off,$(ASAPP)),--no-asapp)

diff: .venv/.installed $(call of_live,$(or $(ENV),*)) ## Show what this tree would change in each environment, without an AWS account: make diff BASE=origin/main
	@.venv/bin/python -m tools.diff --base '$(or $(BASE),origin/main)' $(if $(ENV),--environment '$(ENV)') || test $$? -eq 1

cost: named .venv/.installed web/dist/index.html ## Say what an environment costs, by its templates: make cost ENV=prod CALLS_PER_DAY=1000 MINUTES=6; LINES=1 shows the calculation, JSON=path writes it
	@.venv/bin/python -m tools.cost '$(ENV)' --calls-a-day '$(CALLS_PER_DAY)' --minutes '$(MINUTES)' \
		$(if $(LINES),--lines) $(if $(JSON),--json '$(JSON)') $(if $(PAGE),--page)

deploy: named can-ask .venv/.installed node_modules/.installed $(call of_live,$(ENV)) ## Deploy an environment to the AWS account that you are signed in to: make deploy ENV=prod; with APPROVAL=never CDK does not ask, with DOCTOR=off make doctor does not run first
	@test '$(DOCTOR)' = off || .venv/bin/python -m tools.doctor '$(ENV)' || \
		{ echo 'Nothing was deployed. DOCTOR=off deploys in spite of these findings.'; exit 1; }
	@triggers=$$(.venv/bin/python -m tools.rollback '$(ENV)' --triggers) && \
		$(CDK) deploy --all -c environment='$(ENV)' $(if $(APPROVAL),--require-approval '$(APPROVAL)') $$triggers

verify: named .venv/.installed ## Show that a deployed environment works, without a call: make verify ENV=dev; ASAPP=1 also sends a start that ASAPP refuses; JSON=path, JUNIT=path; CERTIFICATE=pem KEY=pem
	@.venv/bin/python -m tools.verify '$(ENV)' $(if $(filter 1,$(ASAPP)),--asapp) $(if $(JSON),--json '$(JSON)') \
		$(if $(JUNIT),--junit '$(JUNIT)') $(if $(CERTIFICATE),--certificate '$(CERTIFICATE)' --key '$(KEY)')

erase: named .venv/.installed ## Erase a call or a customer everywhere, after saying what would go: make erase ENV=prod CONTACT=… or CUSTOMER=…; STOP=1 or WHEN=ended for a call that goes on, DAY=…, CONFIRM=number of calls, JSON=path
	@.venv/bin/python -m tools.erase '$(ENV)' $(if $(CONTACT),--contact '$(CONTACT)') $(if $(CUSTOMER),--customer '$(CUSTOMER)') \
		$(if $(filter 1,$(STOP)),--stop) $(if $(WHEN),--when '$(WHEN)') $(if $(DAY),--day '$(DAY)') $(if $(CONFIRM),--confirm '$(CONFIRM)') $(if $(JSON),--json '$(JSON)')

erase-restored: named .venv/.installed ## Erase from a restored table what was erased since, before anybody reads it: make erase-restored ENV=prod TABLE=transcripts-restored
	@test -n '$(TABLE)' || { echo 'Name the restored table: TABLE=transcripts-restored'; exit 2; }
	@.venv/bin/python -m tools.erase.restored '$(ENV)' '$(TABLE)'

rollback: named .venv/.installed ## Go back at once to the functions' versions before the last deployment: make rollback ENV=prod; UNDO=1 takes it back
	@.venv/bin/python -m tools.rollback '$(ENV)' $(if $(UNDO),--undo)

audit: named .venv/.installed ## Find what is wrong in the flows of a live instance, read-only: make audit ENV=prod; FRESH=1 reads again, JSON=1, COMMANDS=1, PICTURE=folder
	@.venv/bin/python -m tools.audit '$(ENV)' $(if $(FRESH),--fresh) $(if $(JSON),--json) $(if $(COMMANDS),--commands) $(if $(PICTURE),--picture '$(PICTURE)')

drift: named .venv/.installed ## Show what was changed in the account since the deployment, read-only: make drift ENV=prod
	@.venv/bin/python -m tools.drift '$(ENV)'

map-flows: .venv/.installed ## Pair what flow files of one instance name by ARN with another instance, read-only: make map-flows FROM=dev TO=prod; FROM_PROFILE= and TO_PROFILE= name profiles of the AWS command line
	@test -n '$(FROM)' -a -n '$(TO)' || { echo 'Name both environments, for instance: FROM=dev TO=prod'; exit 2; }
	@.venv/bin/python -m tools.map_flows '$(FROM)' '$(TO)' $(if $(FROM_PROFILE),--source-profile '$(FROM_PROFILE)') $(if $(TO_PROFILE),--target-profile '$(TO_PROFILE)')

stop-all: named .venv/.installed ## Stop all transcription of an environment at once: make stop-all ENV=prod; with APPROVAL=never it does not ask
	@.venv/bin/python -m tools.switch stop '$(ENV)' $(if $(APPROVAL),--approval '$(APPROVAL)')

resume-all: named .venv/.installed ## Let calls start transcription again: make resume-all ENV=prod; with APPROVAL=never it does not ask
	@.venv/bin/python -m tools.switch resume '$(ENV)' $(if $(APPROVAL),--approval '$(APPROVAL)')

hold: named .venv/.installed ## Keep a call from being deleted: make hold ENV=prod CONTACT=…; UNDO=1 lifts that
	@.venv/bin/python -m tools.hold '$(ENV)' '$(CONTACT)' $(if $(UNDO),--undo)

who-read: named .venv/.installed ## Say who has read a conversation, as far as it is recorded: make who-read ENV=prod CONTACT=…, its first contact; DAYS=30 looks less far back
	@.venv/bin/python -m tools.who_read '$(ENV)' '$(CONTACT)' $(if $(DAYS),--days '$(DAYS)')

destroy: named .venv/.installed node_modules/.installed $(call of_live,$(ENV)) ## Delete an environment's stacks; retained resources stay: make destroy ENV=dev
	@$(CDK) destroy --all -c environment='$(ENV)'

load: $(RUNNING)-load ## Let whole calls come to the stacks on this machine, and count each utterance: make load CALLS=50 MINUTES=2; ENV=dev to a copy of an environment in your account; PARTS=1 each part by itself; PAGE=1 writes docs/load.md, JSON=path all figures

$(RUNNING)-load: .venv/.installed node_modules/.installed .sandbox/.installed .load/.installed
	@exec .venv/bin/python -m tools.load --make-target '$@' $(if $(ENV),--environment '$(ENV)') $(if $(filter live,$(BESIDE)),--beside-live) \
		$(if $(PARTS),--parts) $(if $(CALLS),--calls '$(CALLS)') \
		$(if $(MINUTES),--minutes '$(MINUTES)') $(if $(PAGE),--page) $(if $(JSON),--json '$(JSON)')

revoke-webhook-secret: named .venv/.installed ## Refuse a webhook secret that leaked: make revoke-webhook-secret ENV=prod; ONLY=previous keeps the current value, APPROVAL=never does not ask
	@.venv/bin/python -m tools.revoke_webhook_secret '$(ENV)' $(if $(ONLY),--only '$(ONLY)') $(if $(APPROVAL),--approval '$(APPROVAL)')

webhook-certificate: .venv/.installed ## Make a client certificate for ASAPP, from an authority of your own: make webhook-certificate OUT=~/asapp-webhook; AUTHORITY=new makes another authority, NAME=… is the certificate's
	@test -n '$(OUT)' || { echo 'Name a folder outside this repository, for instance: OUT=~/asapp-webhook'; exit 2; }
	@.venv/bin/python -m tools.webhook_certificate '$(OUT)' $(if $(NAME),--name '$(NAME)') $(if $(AUTHORITY),--authority '$(AUTHORITY)')

named:
	@test -n '$(ENV)' || { echo 'Name the environment, for instance: ENV=dev'; exit 2; }

can-ask:
	@test '$(APPROVAL)' = never || test -t 0 || { echo 'CDK asks before it changes permissions, and there is no terminal to answer on.'; \
		echo 'Nothing was deployed. Read `make diff`, then add APPROVAL=never (--require-approval never).'; exit 2; }

flows: .venv/.installed ## Draw the pictures of docs/flows.md again, from the flows' JSON
	@.venv/bin/python -m tools.flows

web: web/dist/index.html ## Build the page of live calls into web/dist; the wheel takes it from there

wheel: .venv/.installed web/dist/index.html ## Build the wheel of the constructs into dist
	@.venv/bin/python -m hatchling build --target wheel --directory dist

release: .release/.installed ## Check a version and build it reproducibly into dist, as the workflow does: make release TAG=v1.2.3
	@$(NEEDS_NODE)
	@.release/bin/python -m tools.release "$$TAG" dist

released: .venv/.installed ## Write what an upgrade must keep of this version, in the commit of a release: tests/package/released.json
	@.venv/bin/python -m tests.package.released

sbom: .release/.installed ## Write the software bill of materials, CycloneDX, to dist/sbom.cdx.json
	@mkdir -p dist
	@PYTHONWARNINGS=ignore::UserWarning .release/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json requirements.txt

docs: .venv/.installed web/dist/index.html ## Write the constructs' reference, as web pages, to dist/docs
	@rm -rf dist/docs
	@.venv/bin/python -m tools.reference dist/docs

lock: .venv/.installed ## Lock the packages that pyproject.toml names, with hashes; to upgrade them all, delete the lock files first
	@$(LOCK) --group deploy --output-file requirements.txt >/dev/null
	@$(LOCK) --group dev --constraints requirements.txt --output-file requirements-dev.txt >/dev/null
	@$(LOCK) --group emulator --output-file sandbox/requirements.txt >/dev/null
	@$(LOCK) --group load --output-file tools/load/requirements.txt >/dev/null
	@$(LOCK) --group release --output-file tools/release/requirements.txt >/dev/null

contract: .venv/.installed web/dist/index.html ## Accept changed construct ids, outputs and permissions, after you have added them to CHANGELOG.md
	@.venv/bin/python -m tests.package.contract
	@.venv/bin/python -m tests.infra.permissions.policies
	@.venv/bin/python -m tests.infra.data_page

benchmark: .venv/.installed ## Measure what has a budget, and compare with boto3 and an empty app; QUICK=1 only checks that it runs
	@.venv/bin/python -m tools.benchmark $(if $(QUICK),--quick)

clean: ## Remove what make installed and wrote
	@rm -rf .venv .sandbox .load .release .audit node_modules cdk.out dist web/node_modules web/dist web/build .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.installed: requirements-dev.txt pyproject.toml
	@python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'This needs python3 3.11 or newer, with its venv module.'; exit 1; }
	@$(NEEDS_NODE)
	@echo 'Installing Python packages into .venv (once, about a minute) …'
	@python3 -m venv --clear .venv
	@.venv/bin/pip install $(LOCKED) -r requirements-dev.txt
	@.venv/bin/pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

.sandbox/.installed: sandbox/requirements.txt
	@echo 'Installing the AWS emulator into .sandbox (once) …'
	@python3 -m venv --clear .sandbox/venv
	@.sandbox/venv/bin/pip install $(LOCKED) -r sandbox/requirements.txt
	@touch $@

.load/.installed: tools/load/requirements.txt
	@echo 'Installing what draws the figures of a load into .load (once) …'
	@python3 -m venv --clear .load
	@.load/bin/pip install $(LOCKED) -r tools/load/requirements.txt
	@touch $@

.release/.installed: tools/release/requirements.txt
	@echo 'Installing what a release needs into .release (once) …'
	@python3 -m venv --clear .release
	@.release/bin/pip install $(LOCKED) -r tools/release/requirements.txt
	@touch $@

node_modules/.installed: package.json package-lock.json
	@$(NEEDS_NODE)
	@echo 'Installing the CDK command line into node_modules (once) …'
	@npm ci --ignore-scripts --silent --no-fund --no-audit
	@touch $@

web/node_modules/.installed: web/package.json web/package-lock.json
	@$(NEEDS_NODE)
	@echo 'Installing what builds the page into web/node_modules (once) …'
	@cd web && npm ci --ignore-scripts --silent --no-fund --no-audit
	@touch $@

web/dist/index.html: web/node_modules/.installed web/build.mjs $(wildcard web/src/* web/src/*/*)
	@cd web && node build.mjs
