"""Who may call. (The framework loads this before its own views: import none of them here.)"""

from typing import Any

from rest_framework import permissions
from rest_framework.request import Request

from study import selectors


class IsResearcher(permissions.BasePermission):
    message = "Only researchers and admins may use this interface; readers read in the browser."

    def has_permission(self, request: Request, view: Any) -> bool:
        return selectors.is_researcher(request.user)


class IsAdmin(permissions.BasePermission):
    message = "Studies and readers are the admins'."

    def has_permission(self, request: Request, view: Any) -> bool:
        return selectors.is_admin(request.user)


class IsAdminOrReads(IsAdmin):
    """Researchers may look; admins may do."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method in permissions.SAFE_METHODS:
            return selectors.is_researcher(request.user)
        return super().has_permission(request, view)
