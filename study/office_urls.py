"""The office's addresses: researchers and admins; studies and readers are the admins'."""

from django.urls import path

from study.views import office_data, office_jobs, office_models, office_pairs, office_readers, office_studies

app_name = "office"

urlpatterns = [
    path("", office_data.office, name="office"),
    path("token/", office_pairs.token, name="token"),
    path("datasets/", office_data.datasets, name="datasets"),
    path("datasets/new/<str:source>/", office_data.new_dataset, name="dataset_new"),
    path("datasets/<int:pk>/", office_data.dataset, name="dataset"),
    path("patches/<int:pk>.png", office_data.patch_image, name="patch"),
    path("classifiers/", office_models.classifiers, name="classifiers"),
    path("classifiers/new/", office_models.new_classifier, name="classifier_new"),
    path("classifiers/<int:pk>/", office_models.classifier, name="classifier"),
    path("classifiers/<int:pk>/curves", office_models.order_curves, name="classifier_curves"),
    path("cross-validations/new/", office_models.new_cross_validation, name="cross_validation_new"),
    path("attacks/", office_models.attacks, name="attacks"),
    path("attacks/new/", office_models.new_attack, name="attack_new"),
    path("attacks/<int:pk>/", office_models.attack, name="attack"),
    path("perturbed/<int:pk>.png", office_models.perturbed_image, name="perturbed"),
    path("pairs/", office_pairs.pair_sets, name="pairs"),
    path("pairs/new/", office_pairs.new_pairs, name="pairs_new"),
    path("pairs/<int:pk>/", office_pairs.pair_set, name="pair_set"),
    path("pair-images/<int:pk>/<str:which>.png", office_pairs.pair_image, name="pair_image"),
    path("jobs/", office_jobs.jobs, name="jobs"),
    path("jobs/<int:pk>/", office_jobs.job, name="job"),
    path("jobs/<int:pk>/state", office_jobs.job_state, name="job_state"),
    path("jobs/<int:pk>/cancel", office_jobs.cancel, name="job_cancel"),
    path("jobs/<int:pk>/retry", office_jobs.retry, name="job_retry"),
    path("studies/", office_studies.studies, name="studies"),
    path("new-study/", office_studies.new_study, name="study_new"),
    path("new-study/power", office_studies.power, name="power"),
    path("studies/<slug:slug>/", office_studies.study, name="study"),
    path("studies/<slug:slug>/protocol/", office_studies.protocol, name="protocol"),
    path("studies/<slug:slug>/protocol.json", office_studies.protocol_json, name="protocol_json"),
    path("studies/<slug:slug>/unblind/", office_studies.unblind, name="study_unblind"),
    path("studies/<slug:slug>/freeze/", office_studies.freeze, name="study_freeze"),
    path("studies/<slug:slug>/steps/<str:name>/", office_studies.step, name="study_step"),
    path("studies/<slug:slug>/readers/", office_readers.study_readers, name="readers"),
    path("studies/<slug:slug>/readers/<str:code>/remind/", office_readers.remind, name="reader_remind"),
    path("studies/<slug:slug>/readers/<str:code>/withdraw/", office_readers.withdraw, name="reader_withdraw"),
    path(
        "studies/<slug:slug>/readers/<str:code>/sets/<int:number>/reopen/", office_readers.reopen, name="reader_reopen"
    ),
]
