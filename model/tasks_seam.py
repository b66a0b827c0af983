"""The one place that says where tasks come from. With Django 6 it becomes ``from django.tasks import ...``."""

from django_tasks import default_task_backend, task
from django_tasks.base import TaskResultStatus
from django_tasks.exceptions import TaskResultDoesNotExist

__all__ = ["TaskResultDoesNotExist", "TaskResultStatus", "default_task_backend", "task"]
