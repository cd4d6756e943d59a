"""The CDK app with nothing in it: what every CDK app in Python costs."""

from aws_cdk import App

App().synth()
