"""The live page as a tab of the agent workspace."""

from __future__ import annotations

from aws_cdk import Names
from aws_cdk import aws_appintegrations as appintegrations
from aws_cdk import aws_connect as connect
from constructs import Construct

from connect_autotranscribe._arguments import Argument, check_arguments, like
from connect_autotranscribe.live._origin import origin_of
from connect_settings._rules import PAGE, text

_NAME = text("[A-Za-z0-9][A-Za-z0-9 ._-]{0,60}", 'a short name, like "Live transcript"')
_FEATURES = ("clipboard-write",)
"""For *Copy*."""
_SANDBOX = (
    "allow-downloads",  # for *Download*
    "allow-forms",
    "allow-popups",
    "allow-popups-to-escape-sandbox",  # or the pages of the sign-in would have these limits, too
    "allow-same-origin",
    "allow-scripts",
)
"""They replace the four that a frame has by default, which are among them.

Source: https://docs.aws.amazon.com/connect/latest/adminguide/3p-apps-iframe-permissions.html
"""


class AgentWorkspaceApp(Construct):
    """Adds the live page to the agent workspace of a Connect instance, once for each contact.

    Nobody sees it yet: add the application to the security profiles of those who shall (*Agent
    applications*, *Access*), in the Amazon Connect console. The profiles are yours.

    :param instance_arn: The instance.
    :param page_url: The address of the page.
    :param name: What agents see on the tab. Default: Live transcript.

    .. code-block:: python

        AgentWorkspaceApp(
            self,
            "AgentWorkspaceApp",
            instance_arn=instance_arn,
            page_url="https://live.acme.example/",
        )
    """

    application: appintegrations.CfnApplication
    association: connect.CfnIntegrationAssociation

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_arn: str,
        page_url: str,
        name: str = "Live transcript",
    ) -> None:
        super().__init__(scope, id)
        check_arguments(
            self,
            {
                **like("connect", instance_arn=instance_arn),
                "page_url": Argument(value=page_url, rule=PAGE),
                "name": Argument(value=name, rule=_NAME),
            },
        )
        self.application = appintegrations.CfnApplication(
            self,
            "Application",
            name=name,
            namespace=Names.unique_resource_name(self, max_length=32, separator="-"),
            description="What is said in the call, while it is said",
            application_source_config=appintegrations.CfnApplication.ApplicationSourceConfigProperty(
                external_url_config=appintegrations.CfnApplication.ExternalUrlConfigProperty(
                    access_url=f"{page_url}?home=workspace",
                    approved_origins=[origin_of(page_url)],
                )
            ),
            permissions=["Contact.Details.View"],
            application_config=appintegrations.CfnApplication.ApplicationConfigProperty(
                contact_handling=appintegrations.CfnApplication.ContactHandlingProperty(
                    scope="PER_CONTACT"
                )
            ),
            iframe_config=appintegrations.CfnApplication.IframeConfigProperty(
                allow=list(_FEATURES), sandbox=list(_SANDBOX)
            ),
        )
        self.association = connect.CfnIntegrationAssociation(
            self,
            "Association",
            instance_id=instance_arn,
            integration_type="APPLICATION",
            integration_arn=self.application.attr_application_arn,
        )
